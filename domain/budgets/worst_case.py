"""The most an attempt can be billed, as a true bound (SPEC B3).

Input: every byte of the final body may be a token, and what stands around it in JSON is longer than what a
model's template puts in its place; what a provider adds of its own is allowed for. Nothing is billed as more
input than the context window holds, where that is known. Output: what the body limits it to, else what the
model can write at most. Prices: the dearest bucket that this request can fall into, in the dearest tier that
so much input can reach, at the dearest tier of service that may be served. A contract's discount stands in
the prices already. `docs/cost.md` says where this is exact and where it leans on something published.
"""

from typing import Final, NamedTuple

from domain.budgets.media_tokens import SOUND_BYTES_PER_S_MIN
from domain.budgets.token_bounds import (
    InputBound,
    KnownPrefix,
    Unbounded,
    input_tokens_max,
    output_tokens_max,
    text_tokens_max,
)
from domain.catalog.prices import PriceTable, Rates, Variant
from domain.llm.capabilities import Capability
from domain.llm.prompt_marks import MARK, TTL, may_say
from domain.llm.request import LlmRequest, Operation
from domain.llm.units import AUDIO_IN_MS, SEARCHES, UNMEASURED
from domain.money import TOKENS_PER_PRICE_UNIT, NanoUsd, ceil_to_nano
from domain.routing.effective_price import billed_variant
from domain.routing.target import Target

FREE: Final = "free"
UNITS: Final = "units"
SEARCH_CHUNK_TOKENS_MIN: Final = 244
"""A reranker cuts documents into pieces of 500 tokens with the query, of which the query may be half."""
DOCUMENTS_PER_SEARCH: Final = 100
_SERVICE_TIER: Final = "service_tier="
_AUDIO_OUT = int(Capability.AUDIO_OUT)
_IMAGE = int(Capability.IMAGE)


class Bound(NamedTuple):
    """What an attempt cannot cost more than; tokens are those the bound was made from.

    `made_by`: `bytes`, `known prefix`, `context window`, `units` (pieces, characters, seconds), or `free`.
    """

    nano_usd: NanoUsd
    input_tokens: int
    output_tokens: int
    made_by: str


NOTHING: Final = Bound(NanoUsd(0), 0, 0, FREE)


def worst_attempt_cost(
    request: LlmRequest,
    target: Target,
    *,
    known_prefix: KnownPrefix | None = None,
    callers_credential: bool = False,
    more_bytes: int = 0,
) -> Bound | Unbounded:
    """The most one attempt of this request at this target can be billed.

    `request` is as it will be sent: with the body that this account gets, and with the limit on the answer
    that is forced on it. `callers_credential`: the caller's own account pays. `more_bytes` are added to the
    body for this attempt alone, such as the beginning of an answer that is continued.
    """
    if callers_credential or request.operation is Operation.COUNT_TOKENS:
        return NOTHING
    if request.operation is Operation.TOOL:
        return Bound(NanoUsd(target.offering.prices.per_request), 0, 0, UNITS)
    if request.contents.run_by_provider:
        return Unbounded(
            f"{request.contents.run_by_provider}: the provider alone decides how much of it there will be",
            "leave it out, or run such tools yourself",
        )
    units = _units_max(request, target.offering.prices)
    if request.units and target.offering.prices.base.input is None:
        return _priced_by_units(target, units)
    into = input_tokens_max(request, target, known_prefix, more_bytes)
    if not isinstance(into, InputBound):
        return into
    out = output_tokens_max(request, target)
    if not isinstance(out, int):
        return out
    cost = _dearest(request, target, into, out)
    if cost is None:
        return _unpriced(target)
    total = max(cost, units or 0) + target.offering.prices.per_request * TOKENS_PER_PRICE_UNIT
    made_by = UNITS if units is not None and units > cost else into.made_by
    return Bound(ceil_to_nano(total), into.tokens, out, made_by)


def _unpriced(target: Target) -> Unbounded:
    return Unbounded(
        f"no price is known for {target.id}",
        "set its prices under pricing in the configuration; an explicit 0 says that it is free",
    )


def _priced_by_units(target: Target, units: int | None) -> Bound | Unbounded:
    prices = target.offering.prices
    if units is None and not prices.per_request:
        return _unpriced(target)
    total = (units or 0) + prices.per_request * TOKENS_PER_PRICE_UNIT
    return Bound(ceil_to_nano(total), 0, 0, UNITS)


def _units_max(request: LlmRequest, prices: PriceTable) -> int | None:
    """The dearest the request's units can come to, in nano-dollars per million; None: they have no price."""
    if not request.units or not prices.units:
        return None
    total: int | None = None
    for unit, count in request.units:
        kind = unit.partition(":")[0]
        if kind == SEARCHES:
            pieces = count * DOCUMENTS_PER_SEARCH + text_tokens_max(request) // SEARCH_CHUNK_TOKENS_MIN
            count = -(-pieces // DOCUMENTS_PER_SEARCH)
        elif kind == UNMEASURED and request.operation is Operation.TRANSCRIPTION:
            kind, count = AUDIO_IN_MS, -(-request.media_bytes * 1000 // SOUND_BYTES_PER_S_MIN)
        # A picture may come out in another size or quality than was asked for.
        rates = [rate for name, rate in prices.units if name == kind or name.startswith(f"{kind}:")]
        if rates:
            total = (total or 0) + max(rates) * count
    return total


def _dearest(request: LlmRequest, target: Target, into: InputBound, out: int) -> int | None:
    """Nano-dollars times a million over all tables that may apply; None when a price is not known."""
    prices = target.offering.prices
    text_buckets, out_buckets = buckets_of(request, target)
    dearest = 0
    for table in tables_that_apply(request, prices):
        reachable = [table.base]
        reachable += [tier.rates for tier in table.tiers if into.tokens > tier.above_input_tokens]
        for rates in reachable:
            if (rates.input is None and into.tokens > 0) or (rates.output is None and out > 0):
                return None
            text_rate = dearest_rate(rates, text_buckets)
            image_rate = max(text_rate, rates.input_image or 0)
            cost = (into.tokens - into.image_tokens) * text_rate + into.image_tokens * image_rate
            cost += out * dearest_rate(rates, out_buckets)
            dearest = max(dearest, cost)
    return dearest


def dearest_rate(rates: Rates, buckets: tuple[str, ...]) -> int:
    """The dearest that is known of these buckets."""
    return max([getattr(rates, name) or 0 for name in buckets])


def tables_that_apply(request: LlmRequest, prices: PriceTable) -> list[PriceTable | Variant]:
    """The usual prices, those asked for, and those that the account's own default tier may bring."""
    if not prices.variants:
        return [prices]
    tables: list[PriceTable | Variant] = [prices]
    asked = billed_variant(prices, request.service_tier, "")
    for variant in prices.variants:
        default = variant.name.startswith(_SERVICE_TIER) and not request.contents.usual_tier
        if default or variant.name == asked:
            tables.append(variant)
    return tables


def buckets_of(request: LlmRequest, target: Target) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The buckets that text of this request, and its answer, may be billed in."""
    contents = request.contents
    reads = ["input", "cached_read"]
    ours = request.prompt_marks
    writes_by_itself = not target.prompt_cache.by_mark
    if writes_by_itself or (ours is not None and ours.may_write) or may_say(MARK, request.body):
        reads.append("cache_write")
        if writes_by_itself or (ours is not None and ours.long) or may_say(TTL, request.body):
            reads.append("cache_write_long")
    if contents.sounds or contents.outside or request.operation is Operation.TRANSCRIPTION:
        reads.append("input_audio")
    if contents.outside:
        reads.append("input_image")
    may = int(request.needs) | int(target.offering.capabilities)
    writes = ["output", "reasoning"]
    if may & _AUDIO_OUT or request.operation is Operation.SPEECH:
        writes.append("output_audio")
    if may & _IMAGE or request.operation is Operation.IMAGE:
        writes.append("output_image")
    return tuple(reads), tuple(writes)
