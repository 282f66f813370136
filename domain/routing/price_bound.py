"""The most an attempt can cost, as a true bound (SPEC B3).

Every byte of the final body may be a token, every token may fall into the dearest bucket, and the tier may be
the dearest one a body of that size can reach. The output is bounded by the `max_tokens` that is sent.

The bound does not see what the body only refers to: an image or file behind a URL or an id. Whoever admits
those adds their own bound. It is for one choice; `n` choices multiply the output.
"""

from collections.abc import Iterable

from domain.catalog.prices import PriceTable, Rates
from domain.money import TOKENS_PER_PRICE_UNIT, NanoUsd, ceil_to_nano


def worst_cost(
    prices: PriceTable, input_bytes: int, max_output_tokens: int | None, offering_max: int | None = None
) -> NanoUsd | None:
    """Nano-dollars that this attempt cannot exceed; None when nothing bounds it.

    `max_output_tokens` is what the request carries; without it, `offering_max` (the model's own limit)
    bounds the output. A limit of 0 means that there is no output at all, as for embeddings.
    None also when a price that could apply is unknown.
    """
    output_tokens = max_output_tokens if max_output_tokens is not None else offering_max
    if output_tokens is None:
        return None
    reachable = [prices.base, *(t.rates for t in prices.tiers if input_bytes > t.above_input_tokens)]
    dearest_input = _dearest(map(_input_rate, reachable))
    dearest_output = _dearest(map(_output_rate, reachable))
    if (input_bytes > 0 and dearest_input is None) or (output_tokens > 0 and dearest_output is None):
        return None
    total = max(0, input_bytes) * (dearest_input or 0) + max(0, output_tokens) * (dearest_output or 0)
    return ceil_to_nano(total + prices.per_request * TOKENS_PER_PRICE_UNIT)


def _input_rate(rates: Rates) -> int | None:
    if rates.input is None:
        return None
    special = (
        rates.cached_read,
        rates.cache_write,
        rates.cache_write_long,
        rates.input_audio,
        rates.input_image,
    )
    return max(rates.input, *(rate for rate in special if rate is not None), 0)


def _output_rate(rates: Rates) -> int | None:
    if rates.output is None:
        return None
    special = (rates.reasoning, rates.output_audio, rates.output_image)
    return max(rates.output, *(rate for rate in special if rate is not None), 0)


def _dearest(rates: Iterable[int | None]) -> int | None:
    """The highest of all; None as soon as one is unknown, for that one might be the dearest."""
    known = list(rates)
    return None if any(rate is None for rate in known) else max(rate for rate in known if rate is not None)
