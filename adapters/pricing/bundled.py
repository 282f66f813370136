"""The price book that comes with the package: a full catalogue from the first start, without a network."""

import asyncio
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from application.ports.catalog import CatalogSource
from domain.catalog.offering import Catalog

SOURCE: Final = "genai-prices"


class BundledPriceBook(CatalogSource):
    """Prices of the `genai-prices` package in force today, with our own knowledge of models added.

    `today` is asked each time, as a server outlives the day it was started on.

    Takes about a quarter of a second the first time, half of it importing the data, so it runs in a thread.
    """

    name = "bundled"

    def __init__(self, *, today: Callable[[], date]) -> None:
        self._today = today

    async def load(self) -> Catalog:
        """Never raises for I/O: the data is a Python module of an installed package."""
        return await asyncio.to_thread(bundled_catalog, self._today())


@lru_cache(maxsize=1)
def bundled_catalog(on: date) -> Catalog:
    """The same, synchronously; a day's is made once and then shared.

    The data module is imported here, not at start of every command.
    """
    from genai_prices.data import providers

    from adapters.pricing.genai_translation import catalog_from

    try:
        release = version("genai-prices")
    except PackageNotFoundError:
        release = "unknown"
    return catalog_from(providers, on, source=SOURCE, version=f"{SOURCE} {release} on {on.isoformat()}")
