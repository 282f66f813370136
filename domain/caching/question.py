"""What a request asks, as caches compare it, and which requests are never answered from one."""

from typing import Final, NamedTuple

from domain.caching.policy import CachePolicy
from domain.llm.request import LlmRequest, Operation

_ANSWERED_AGAIN: Final = frozenset(
    {Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDINGS, Operation.RERANK, Operation.MODERATION}
    | {Operation.TOOL}
)
"""What answers to equal requests with an equal worth, in bytes that are text."""


class Asked(NamedTuple):
    """A body as exact keys see it. `digest` is equal for bodies of equal meaning and for no others."""

    digest: bytes
    temperature: float | None = None


class Question(NamedTuple):
    """A body as similar questions are told apart: its last message of the user, and a digest of all else."""

    context: bytes
    text: str
    exchanges: int
    """Answered turns before it."""


def why_never_cached(request: LlmRequest) -> str:
    """Why this request takes no part in caching, in one word for metrics; empty: it does."""
    if request.operation not in _ANSWERED_AGAIN or request.wordless:
        return "operation"
    if request.own_credential is not None:
        return "own_credential"
    if request.background or request.previous_response_id or request.home is not None:
        return "stored_at_provider"
    if request.dialect == "openai.responses" and request.store is not False:
        return "stored_at_provider"
    if request.contents.outside or request.contents.run_by_provider:
        return "outside"
    if request.idempotency_key:
        return "idempotent"
    if request.stream and request.operation not in (Operation.CHAT, Operation.COMPLETION):
        return "operation"
    if request.choices > 1:
        return "choices"  # only the first one's end is known
    return ""


def too_hot(asked: Asked, policy: CachePolicy) -> bool:
    """Whether the caller wants more chance than the route lets be cached; unset is the vendors' own 1."""
    if policy.temperature_max is None:
        return False
    return (1.0 if asked.temperature is None else asked.temperature) > policy.temperature_max
