"""The most an attempt can cost, as a true bound (SPEC B3).

Every byte of the final body may be a token, every token may fall into the dearest bucket, and the tier may be
the dearest one a body of that size can reach. The output is bounded by the `max_tokens` that is sent.

The bound does not see what the body only refers to: an image or file behind a URL or an id. Whoever admits
those adds their own bound. It is for one choice; `n` choices multiply the output.
"""

from domain.catalog.prices import PriceTable
from domain.catalog.prices import worst_cost as prices_bound
from domain.money import NanoUsd
from domain.routing.effective_price import billed_variant


def worst_cost(
    prices: PriceTable,
    input_bytes: int,
    max_output_tokens: int | None,
    offering_max: int | None = None,
    *,
    variant: str = "",
) -> NanoUsd | None:
    """Nano-dollars that this attempt cannot exceed; None when nothing bounds it.

    `max_output_tokens` is what the request carries; without it, `offering_max` (the model's own limit)
    bounds the output. A limit of 0 means that there is no output at all, as for embeddings.
    None also when a price that could apply is unknown. `variant` is a tier of service that was asked for:
    the provider may serve it or the usual one, so the bound covers both.
    """
    output_tokens = max_output_tokens if max_output_tokens is not None else offering_max
    if output_tokens is None:
        return None
    sizes = max(0, input_bytes), max(0, output_tokens)
    usual = prices_bound(prices, *sizes)
    name = billed_variant(prices, variant, "")
    if usual is None or not name:
        return usual
    asked = prices_bound(prices, *sizes, variant=name)
    return None if asked is None else max(usual, asked)
