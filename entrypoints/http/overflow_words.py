"""An over-long prompt in each family's own words, which agents look for to shorten their conversation."""

from typing import Final

from application.ports.wire import FAMILY
from domain.errors import InterchangeError, InvalidRequirements, UpstreamError
from domain.llm.failures import FailureKind
from domain.routing.filters import DropReason

CODE: Final = "context_length_exceeded"


def is_overflow(error: InterchangeError) -> bool:
    """Whether the prompt fits into no window: by our own count, or by a provider's."""
    if isinstance(error, UpstreamError):
        # A 413 is about bytes, and has words of its own.
        return error.failure.kind is FailureKind.CONTEXT_LENGTH and error.failure.status != 413
    return isinstance(error, InvalidRequirements) and _detail(error, "reason") == DropReason.CONTEXT.value


def overflow_words(error: InterchangeError, dialect: str) -> tuple[str, str]:
    """Code and message of an over-long prompt for a caller of this dialect.

    OpenAI's clients look for the code or the sentence, Anthropic's and Google's for the sentence. Both counts
    stand in it where they are known; our own route keeps our own words.
    """
    needed, largest = _detail(error, "tokens_needed"), _detail(error, "context_tokens_max")
    counted = needed is not None and largest is not None
    match FAMILY.get(dialect):
        case "openai":
            said = f"Input tokens exceed the configured limit of {largest} tokens: {needed} are needed."
            return CODE, _led(said if counted else "Input tokens exceed the configured limit.", error.message)
        case "anthropic":
            said = f"prompt is too long: {needed} tokens > {largest} maximum"
            return error.code, _led(said if counted else "prompt is too long", error.message)
        case "gemini":
            limit = f"the maximum number of tokens allowed ({largest})."
            said = f"The input token count ({needed}) exceeds {limit}"
            unknown = "The input token count exceeds the maximum number of tokens allowed."
            return error.code, _led(said if counted else unknown, error.message)
        case _:
            return error.code, error.message


def _led(words: str, message: str) -> str:
    """The words agents look for, then what we or the provider said."""
    return f"{words} ({message})"


def _detail(error: InterchangeError, name: str) -> object:
    return (error.details or {}).get(name)
