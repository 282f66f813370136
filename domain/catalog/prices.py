"""What tokens cost: one table per offering, one place that turns usage into money.

Usage buckets are inclusive (`domain.llm.usage`); `bill` makes them disjoint, multiplies each by its
price and rounds the sum up once to a nano-dollar. A price that is not known makes the cost unknown
(`None`) as soon as one token of that bucket was used; it is never taken for 0.
"""

from dataclasses import dataclass, replace

from domain.llm.usage import Usage
from domain.money import TOKENS_PER_PRICE_UNIT, NanoUsd, ceil_to_nano


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Rates for a whole request whose input is longer than `above_input_tokens`."""

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """All prices of one offering, and where they come from.

    `per_request` is nano-dollars per call. `tiers` are sorted by threshold, rising.
    `batch_multiplier_percent` scales everything when the provider's batch API is used.
    `effective_from` is an ISO date; None: since ever.
    """

    base: Rates = Rates()
    tiers: tuple[Tier, ...] = ()
    per_request: int = 0
    batch_multiplier_percent: int | None = None
    source: str = "unknown"
    effective_from: str | None = None

    @property
    def known(self) -> bool:
        """Whether plain text in and out has a price."""
        return self.base.input is not None and self.base.output is not None


UNKNOWN_PRICES = PriceTable()


def rates_for(prices: PriceTable, input_tokens: int) -> Rates:
    """The rates of the tier this input falls into; the whole request is billed at them."""
    chosen = prices.base
    for tier in prices.tiers:
        if input_tokens > tier.above_input_tokens:
            chosen = tier.rates
    return chosen


def bill(prices: PriceTable, usage: Usage, *, batch: bool = False) -> NanoUsd | None:
    """What this usage costs in nano-dollars, rounded up once; `None` when a needed price is unknown.

    With `batch`, the batch multiplier applies; an offering without one is billed in full.
    """
    rates = prices.base if not prices.tiers else rates_for(prices, usage.input_tokens)
    special_in = (
        usage.cached_read_tokens
        + usage.cache_write_tokens
        + usage.cache_write_long_tokens
        + usage.input_audio_tokens
        + usage.input_image_tokens
    )
    special_out = usage.reasoning_tokens + usage.output_audio_tokens + usage.output_image_tokens
    total: int | None = _times(usage.input_tokens - special_in, rates.input)
    total = _plus(total, _times(usage.output_tokens - special_out, rates.output))
    if special_in and total is not None:
        total = _plus(total, _special_input(rates, usage))
    if special_out and total is not None:
        total = _plus(total, _special_output(rates, usage))
    if total is None:
        return None
    total += prices.per_request * TOKENS_PER_PRICE_UNIT
    if batch and prices.batch_multiplier_percent is not None:
        total = -(-total * prices.batch_multiplier_percent // 100)
    return ceil_to_nano(total)


def _special_input(rates: Rates, usage: Usage) -> int | None:
    write = rates.cache_write if rates.cache_write is not None else rates.input
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
    """Average price of a token at this mix (SPEC section 9, `max_cost_per_token`), rounded up."""
    cost = bill(prices, Usage(input_tokens, output_tokens))
    tokens = input_tokens + output_tokens
    return None if cost is None or not tokens else -(-cost * TOKENS_PER_PRICE_UNIT // tokens)


def overridden(prices: PriceTable, rates: Rates, *, source: str) -> PriceTable:
    """An operator's prices in place of the catalogue's: tiers go, since they belong to the old base."""
    return replace(prices, base=rates, tiers=(), source=source, effective_from=None)
