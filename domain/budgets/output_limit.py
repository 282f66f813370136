"""Limits of ours on the answer: a route's for callers who set none, and what a budget still affords.

A limit is put into the body only where the body has none, or a larger one; it is announced to the caller.
"""

from dataclasses import replace
from typing import Final

from domain.budgets.token_bounds import KnownPrefix
from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest, Operation
from domain.routing.target import Route, Target

USEFUL_TOKENS_MIN: Final = 16
"""A shorter answer is not worth its prompt; and some providers take no lower limit."""
_LIMITED: Final = frozenset({Operation.CHAT, Operation.COMPLETION})
_NEVER_CLAMPED = int(Capability.FUNCTION_CALLING | Capability.STRUCTURED_OUTPUT | Capability.REASONING)
_REASONING = int(Capability.REASONING)
_THINKS_WHEN_ASKED: Final = frozenset({"anthropic", "bedrock"})
"""Wires whose reasoning models reason only for those who ask."""


def with_max_output(request: LlmRequest, tokens: int) -> LlmRequest:
    """The same request with this limit on each of its answers; the body gets it when it is encoded."""
    return replace(request, max_output_tokens=tokens, forced_max_output_tokens=tokens)


def as_limited(request: LlmRequest, route: Route, target: Target) -> LlmRequest:
    """The request with the route's limit, where the caller set none; never more than the model can write."""
    limit = route.max_output_tokens
    if limit is None or request.max_output_tokens is not None or request.operation not in _LIMITED:
        return request
    most = target.offering.max_output_tokens
    return with_max_output(request, limit if most is None else min(limit, most))


def limited_further(sent: LlmRequest, asked: LlmRequest, route: Route, target: Target) -> bool:
    """Whether what is sent has a lower limit than its caller and the route set: what a budget affords."""
    return (
        sent.forced_max_output_tokens is not None
        and sent.forced_max_output_tokens != as_limited(asked, route, target).forced_max_output_tokens
    )


def may_clamp(request: LlmRequest, target: Target) -> bool:
    """Whether a shorter answer is still an answer: never with tools, a schema or thinking, which would break
    off in the middle of what they are for."""
    if request.operation not in _LIMITED or int(request.needs) & _NEVER_CLAMPED:
        return False
    return not int(target.offering.capabilities) & _REASONING or target.wire in _THINKS_WHEN_ASKED


def affordable_output_tokens(
    request: LlmRequest,
    target: Target,
    affordable_nano_usd: int,
    *,
    known_prefix: KnownPrefix | None = None,
    more_bytes: int = 0,
) -> int | None:
    """The longest answer, in tokens of each choice, whose attempt cannot cost more than this amount.

    None where the request must not be cut short, where nothing bounds it even so, or where fewer than
    `USEFUL_TOKENS_MIN` tokens are affordable. Never more than the caller's own limit or the model's.
    """
    if not may_clamp(request, target):
        return None

    def fits(tokens: int) -> bool:
        limited = with_max_output(request, tokens)
        bound = worst_attempt_cost(limited, target, known_prefix=known_prefix, more_bytes=more_bytes)
        return isinstance(bound, Bound) and bound.nano_usd <= affordable_nano_usd

    limits = (request.max_output_tokens, target.offering.max_output_tokens, target.offering.context_tokens)
    known = [limit for limit in limits if limit is not None]
    if not known or min(known) < USEFUL_TOKENS_MIN or not fits(USEFUL_TOKENS_MIN):
        return None
    low, high = USEFUL_TOKENS_MIN, min(known)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
