"""What a provider's prompt cache saved: the bill as it would have been without it, less the bill as it was.

Read tokens save the gap between the plain and the cached price, written ones cost the surcharge for writing;
a prompt that was written and never read again therefore saves less than nothing.
"""

from domain.catalog.prices import PriceTable, bill
from domain.llm.usage import Usage


def prompt_cache_saving(
    prices: PriceTable, usage: Usage, *, batch: bool = False, variant: str | None = None
) -> int | None:
    """Nano-dollars, negative where writing cost more than reading saved; 0 where no cache had a part.

    Exact to the nano-dollar: added to `bill` of the same usage with the same arguments, it is the `bill` of
    the same tokens all plain. None where either has no price.
    """
    if not (usage.cached_read_tokens or usage.cache_write_tokens or usage.cache_write_long_tokens):
        return 0
    plain = usage._replace(cached_read_tokens=0, cache_write_tokens=0, cache_write_long_tokens=0)
    without = bill(prices, plain, batch=batch, variant=variant)
    actual = bill(prices, usage, batch=batch, variant=variant)
    return None if without is None or actual is None else without - actual
