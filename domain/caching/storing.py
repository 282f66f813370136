"""Which answers are kept. Everything that is not plainly a whole, natural answer is not."""

from typing import Final, NamedTuple

from domain.caching.policy import CachePolicy

_NATURAL_ENDS: Final = frozenset({"stop", ""})
"""Pivot words of an answer that said all it had to say; embeddings and the like have none."""
_TOOL_ENDS: Final = frozenset({"tool_calls", "function_call", "tool_use"})


class Outcome(NamedTuple):
    """How an answer came to be."""

    finish_reason: str
    complete: bool
    continued: bool
    """Put together from several attempts."""
    static: bool = False
    """A stand-in declared for outages."""
    called_tools: bool = False
    size_bytes: int = 0
    own_credential: bool = False


def why_not_kept(outcome: Outcome, policy: CachePolicy) -> str:
    """Why this answer must not be kept, in one word for metrics; empty: it may be."""
    if not outcome.complete:
        return "incomplete"
    if outcome.static:
        return "static"
    if outcome.own_credential:
        return "own_credential"
    if outcome.continued:
        return "continued"
    tools = outcome.called_tools or outcome.finish_reason in _TOOL_ENDS
    if tools and not policy.tool_calls:
        return "tool_calls"
    if not tools and outcome.finish_reason not in _NATURAL_ENDS:
        return "truncated_or_filtered"
    if outcome.size_bytes > policy.entry_bytes_max:
        return "too_large"
    return ""
