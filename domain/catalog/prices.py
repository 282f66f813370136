"""What tokens cost: one table per offering, one place that turns usage into money.

Usage buckets are inclusive (`domain.llm.usage`); `bill` makes them disjoint, multiplies each by its
price and rounds the sum up once to a nano-dollar. A price that is not known makes the cost unknown
(`None`) as soon as one token of that bucket was used; it is never taken for 0.
"""

from dataclasses import dataclass, replace
from typing import Final

from domain.llm.units import UnitCount, unit_rate
from domain.llm.usage import Usage
from domain.money import TOKENS_PER_PRICE_UNIT, NanoUsd, ceil_to_nano

BATCH: Final = "processing=batch"
"""Name of the variant that a provider's batch API is billed at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Prices in nano-dollars per million tokens of each bucket; `None` is unknown.

    A `None` for a special bucket (cache, audio, image, reasoning) falls back to the plain input or
    output price, which is what providers charge when they publish no price of its own; cache writes and
    reads therefore cost at least nothing less than what is known.
    """

    input: int | None = None
    output: int | None = None
    cached_read: int | None = None
    cache_write: int | None = None
    cache_write_long: int | None = None
    input_audio: int | None = None
    input_image: int | None = None
    output_audio: int | None = None
    output_image: int | None = None
    reasoning: int | None = None


INPUT_BUCKETS: Final = (
    "input",
    "cached_read",
    "cache_write",
    "cache_write_long",
    "input_audio",
    "input_image",
)
OUTPUT_BUCKETS: Final = ("output", "output_audio", "output_image", "reasoning")
BUCKETS: Final = INPUT_BUCKETS + OUTPUT_BUCKETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Rates for a whole request whose input is longer than `above_input_tokens`.

    A cliff, not a margin: the publishers we read bill all tokens of such a request at these rates.
    """

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Complete prices for requests of one kind, such as `service_tier=priority` or `processing=batch`.

    `name` is `<condition>=<value>` in the publisher's words. Replaces base and tiers; `per_request` stays.
    """

    name: str
    base: Rates
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """All prices of one offering, and where they come from.

    `per_request` is nano-dollars per call. `tiers` are sorted by threshold, rising.
    `batch_multiplier_percent` scales everything when the provider's batch API is used; a `variants` entry
    named `processing=batch` is exact and comes before it. `extras` are charges that usage buckets do not
    see, as (unit, nano-dollars per unit), such as `("web_searches_kcount", 10_000_000_000)`; they are
    shown and never billed. `units` are the prices of what is counted beside tokens (`domain.llm.units`), as
    (unit, nano-dollars per million of them). `effective_from` is an ISO date; None: since ever.
    """

    base: Rates = Rates()
    tiers: tuple[Tier, ...] = ()
    per_request: int = 0
    batch_multiplier_percent: int | None = None
    source: str = "unknown"
    effective_from: str | None = None
    variants: tuple[Variant, ...] = ()
    extras: tuple[tuple[str, int], ...] = ()
    units: tuple[UnitCount, ...] = ()

    @property
    def known(self) -> bool:
        """Whether plain text in and out has a price."""
        return self.base.input is not None and self.base.output is not None

    def variant(self, name: str) -> Variant | None:
        """The prices for requests of this kind; None when they cost what every request costs."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        return None


UNKNOWN_PRICES = PriceTable()


def rates_for(prices: PriceTable | Variant, input_tokens: int) -> Rates:
    """The rates of the tier this input falls into; the whole request is billed at them."""
    chosen = prices.base
    for tier in prices.tiers:
        if input_tokens > tier.above_input_tokens:
            chosen = tier.rates
    return chosen


def bill(
    prices: PriceTable, usage: Usage, *, batch: bool = False, variant: str | None = None
) -> NanoUsd | None:
    """What this usage costs in nano-dollars, rounded up once; `None` when a needed price is unknown.

    With `batch`, the batch variant applies, else the batch multiplier; an offering with neither is billed
    in full. `variant` names another kind of request; one the table does not know is billed as usual.
    """
    total = _nano_usd_times_mtok(prices, usage, batch=batch, variant=variant)
    return None if total is None else ceil_to_nano(total)


def _nano_usd_times_mtok(
    prices: PriceTable, usage: Usage, *, batch: bool = False, variant: str | None = None
) -> int | None:
    """The exact sum before rounding. A fraction that batch leaves is rounded up, which ceilings allow."""
    chosen: PriceTable | Variant = prices
    multiplier_percent = None
    if batch or variant is not None:
        exact = prices.variant(BATCH if batch else variant or "")
        if exact is not None:
            chosen = exact
        elif batch:
            multiplier_percent = prices.batch_multiplier_percent
    rates = chosen.base if not chosen.tiers else rates_for(chosen, usage.input_tokens)
    special_in = (
        usage.cached_read_tokens
        + usage.cache_write_tokens
        + usage.cache_write_long_tokens
        + usage.input_audio_tokens
        + usage.input_image_tokens
    )
    special_out = usage.reasoning_tokens + usage.output_audio_tokens + usage.output_image_tokens
    read, wrote = usage.input_tokens - special_in, usage.output_tokens - special_out
    total: int | None
    if (read > 0 and rates.input is None) or (wrote > 0 and rates.output is None):
        total = None
    else:
        total = max(0, read) * (rates.input or 0) + max(0, wrote) * (rates.output or 0)
    if special_in and total is not None:
        total = _plus(total, _special_input(rates, usage))
    if special_out and total is not None:
        total = _plus(total, _special_output(rates, usage))
    if usage.units:
        total = _with_units(total, prices, usage)
    if total is None:
        return None
    total += prices.per_request * TOKENS_PER_PRICE_UNIT
    return total if multiplier_percent is None else -(-total * multiplier_percent // 100)


def _with_units(tokens: int | None, prices: PriceTable, usage: Usage) -> int | None:
    """The tokens' bill where there is one, else the units'; never both: one thing may be measured both ways.

    Of several units the priced ones count. Where none is, only a price per request says what it costs.
    """
    if tokens:
        return tokens
    rates = [(count, unit_rate(prices.units, unit)) for unit, count in usage.units]
    priced = [count * rate for count, rate in rates if rate is not None]
    if priced:
        return sum(priced)
    if usage.total_tokens:
        return tokens
    return 0 if prices.per_request else None


def _special_input(rates: Rates, usage: Usage) -> int | None:
    write = _or(rates.cache_write, rates.input)
    total = _times(usage.cached_read_tokens, _or(rates.cached_read, rates.input))
    total = _plus(total, _times(usage.cache_write_tokens, write))
    total = _plus(total, _times(usage.cache_write_long_tokens, _or(rates.cache_write_long, write)))
    total = _plus(total, _times(usage.input_audio_tokens, _or(rates.input_audio, rates.input)))
    return _plus(total, _times(usage.input_image_tokens, _or(rates.input_image, rates.input)))


def _special_output(rates: Rates, usage: Usage) -> int | None:
    total = _times(usage.reasoning_tokens, _or(rates.reasoning, rates.output))
    total = _plus(total, _times(usage.output_audio_tokens, _or(rates.output_audio, rates.output)))
    return _plus(total, _times(usage.output_image_tokens, _or(rates.output_image, rates.output)))


def _or(rate: int | None, fallback: int | None) -> int | None:
    return fallback if rate is None else rate


def _times(tokens: int, rate: int | None) -> int | None:
    if tokens <= 0:
        return 0
    return None if rate is None else tokens * rate


def _plus(total: int | None, more: int | None) -> int | None:
    return None if total is None or more is None else total + more


def blended_nano_usd_per_mtok(prices: PriceTable, input_tokens: int, output_tokens: int) -> int | None:
    """Average price of a token at this mix (SPEC section 9, `max_cost_per_token`), rounded up once."""
    total = _nano_usd_times_mtok(prices, Usage(input_tokens, output_tokens))
    tokens = input_tokens + output_tokens
    return None if total is None or not tokens else -(-total // tokens)


def worst_cost(
    prices: PriceTable, input_tokens_max: int, output_tokens_max: int, *, variant: str | None = None
) -> NanoUsd | None:
    """A bound that no `bill` of such a request passes, whatever is cached, spoken or thought.

    Takes the dearest bucket of the dearest tier that so much input can reach, in nano-dollars; `None` when
    plain input or output has no price there. Ask with `variant` for requests that will be billed at it.
    """
    chosen: PriceTable | Variant = prices
    if variant is not None:
        chosen = prices.variant(variant) or prices
    reachable = [chosen.base]
    reachable += [tier.rates for tier in chosen.tiers if input_tokens_max > tier.above_input_tokens]
    dearest_in = dearest_out = 0
    for rates in reachable:
        if (rates.input is None and input_tokens_max > 0) or (rates.output is None and output_tokens_max > 0):
            return None
        dearest_in = max(dearest_in, *(getattr(rates, name) or 0 for name in INPUT_BUCKETS))
        dearest_out = max(dearest_out, *(getattr(rates, name) or 0 for name in OUTPUT_BUCKETS))
    return ceil_to_nano(
        dearest_in * input_tokens_max
        + dearest_out * output_tokens_max
        + prices.per_request * TOKENS_PER_PRICE_UNIT
    )


def overridden(prices: PriceTable, rates: Rates, *, source: str) -> PriceTable:
    """An operator's prices in place of the catalogue's; tiers and variants belong to the old base and go."""
    return replace(prices, base=rates, tiers=(), variants=(), source=source, effective_from=None)
