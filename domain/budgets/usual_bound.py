"""`worst_attempt_cost` of usual requests, chats in plain text, with a target's part in it worked out once.

The bound of such a request is a line over the bytes of its body and the longest answer. Whatever could bend
that line (pictures, sound, marks for prompt caches, letters beyond ASCII, another tier of service, so much
input that longer prices or the window begin to count) is left to `worst_attempt_cost`. So no rule about money
stands here: the terms are what its own rules say of an empty chat.
"""

import sys
from typing import Final, NamedTuple

from domain.budgets.token_bounds import (
    BYTES,
    Unbounded,
    output_tokens_max,
    overhead_tokens,
    window_tokens,
)
from domain.budgets.worst_case import (
    Bound,
    buckets_of,
    dearest_rate,
    tables_that_apply,
    worst_attempt_cost,
)
from domain.llm.capabilities import Capability
from domain.llm.contents import PLAIN
from domain.llm.prompt_marks import MARK, may_say
from domain.llm.request import LlmRequest, Operation
from domain.money import TOKENS_PER_PRICE_UNIT, ceil_to_nano
from domain.routing.target import Target

TARGETS_MAX: Final = 20_000
"""Callers may ask for models by any name their provider may know: as many are remembered, then all anew."""
_TEXT_ONLY: Final = LlmRequest(
    operation=Operation.CHAT, dialect="", model="", body=b"", needs=Capability.TEXT, contents=PLAIN
)
_WITH_TOOLS: Final = LlmRequest(
    operation=Operation.CHAT, dialect="", model="", body=b"", needs=Capability.FUNCTION_CALLING
)
_ADDS_TOKENS: Final = int(Capability.FUNCTION_CALLING | Capability.STRUCTURED_OUTPUT)
_DEARER: Final = int(Capability.AUDIO_OUT | Capability.IMAGE)
_NEVER: Final = -1


class _Terms(NamedTuple):
    """What of the bound never changes for one target; prices in nano-dollars per million tokens."""

    target: Target
    overhead: int
    overhead_with_tools: int
    input_tokens_max: int
    """Up to here the line holds; `_NEVER`: nowhere."""
    prices: tuple[tuple[int, int], ...]
    """Of a token read and a token written, by each table that may apply."""
    marks_cost: bool
    """Whether a caller's mark for the prompt cache makes reading dearer."""


class UsualBounds:
    """Remembers targets by their ids, and one that was compiled anew not at all."""

    def __init__(self) -> None:
        self._known: dict[str, _Terms] = {}

    def worst(self, request: LlmRequest, target: Target, more_bytes: int = 0) -> Bound | Unbounded:
        """What `worst_attempt_cost` says of the same, always; it is asked where the request is not usual."""
        terms = self._known.get(target.id)
        if terms is None or terms.target is not target:
            terms = self._learn(target)
        needs, body = int(request.needs), request.body
        into = len(body) + more_bytes
        into += terms.overhead_with_tools if needs & _ADDS_TOKENS else terms.overhead
        if (
            into > terms.input_tokens_max
            or request.contents is not PLAIN
            or request.operation is not Operation.CHAT
            or request.units
            or request.service_tier
            or request.prompt_marks is not None
            or request.content_type != "application/json"
            or needs & _DEARER
            or not body.isascii()
            or (terms.marks_cost and may_say(MARK, body))
        ):
            return worst_attempt_cost(request, target, more_bytes=more_bytes)
        out = output_tokens_max(request, target)
        if not isinstance(out, int):
            return out
        dearest = 0
        for read, written in terms.prices:
            dearest = max(dearest, into * read + out * written)
        fee = target.offering.prices.per_request * TOKENS_PER_PRICE_UNIT
        return Bound(ceil_to_nano(dearest + fee), into, out, BYTES)

    def _learn(self, target: Target) -> _Terms:
        if len(self._known) >= TARGETS_MAX:
            self._known.clear()
        terms = self._known[target.id] = _terms_of(target)
        return terms


def _terms_of(target: Target) -> _Terms:
    tables = tables_that_apply(_TEXT_ONLY, target.offering.prices)
    read, written = buckets_of(_TEXT_ONLY, target)
    window = window_tokens(_TEXT_ONLY, target)
    limits = [sys.maxsize if window is None else window]
    limits += [table.tiers[0].above_input_tokens for table in tables if table.tiers]
    if any(table.base.input is None or table.base.output is None for table in tables):
        limits = [_NEVER]
    return _Terms(
        target,
        overhead_tokens(_TEXT_ONLY, target),
        overhead_tokens(_WITH_TOOLS, target),
        min(limits),
        tuple((dearest_rate(each.base, read), dearest_rate(each.base, written)) for each in tables),
        "cache_write" not in read,
    )
