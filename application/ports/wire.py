"""Dialects: the wire shapes callers speak, and how one request is read out of them."""

from abc import abstractmethod
from typing import Final, Protocol

from domain.llm.request import LlmRequest

OPENAI_CHAT: Final = "openai.chat"
OPENAI_COMPLETIONS: Final = "openai.completions"
OPENAI_EMBEDDINGS: Final = "openai.embeddings"
ANTHROPIC_MESSAGES: Final = "anthropic.messages"
ANTHROPIC_COUNT_TOKENS: Final = "anthropic.count_tokens"
GEMINI_GENERATE: Final = "gemini.generate"

FAMILY: Final[dict[str, str]] = {
    OPENAI_CHAT: "openai",
    OPENAI_COMPLETIONS: "openai",
    OPENAI_EMBEDDINGS: "openai",
    ANTHROPIC_MESSAGES: "anthropic",
    ANTHROPIC_COUNT_TOKENS: "anthropic",
    GEMINI_GENERATE: "gemini",
}


class RequestReader(Protocol):
    """Reads the few fields policies need; leaves the body as it is. Synchronous and pure."""

    @abstractmethod
    def read(self, dialect: str, body: bytes) -> LlmRequest:
        """The request in `body`.

        Raises:
            InvalidRequest: malformed JSON, a wrong type or a missing field; `param` is its path.
        """
        ...
