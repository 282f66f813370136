"""What was used, for one command, without a server. Imports nothing that only servers need: what routes and
prices they have is found out only where a baseline is declared that savings are measured against."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from application.use_cases.read_usage import UsageUseCases
from application.use_cases.report_savings import ReportSavings
from domain.errors import NotFound
from entrypoints.settings import LoadedSettings
from entrypoints.store_container import StoreContainer
from entrypoints.stores_opening import has_data, open_stores


@asynccontextmanager
async def open_usage(loaded: LoadedSettings) -> AsyncIterator[UsageUseCases]:
    """What `interchange usage`, `report` and `reconcile` work with.

    Raises NotFound where nothing was ever stored: to look must not make a data directory.
    """
    if not await asyncio.to_thread(has_data, loaded.settings):
        raise NotFound(
            f"nothing is stored yet in {loaded.settings.data_dir}, or its database cannot be reached; start "
            "with `interchange serve`, or name a server with --url"
        )
    async with open_stores(loaded.settings, loaded.environ) as container:
        yield replace(container.usage_use_cases(), savings=await _savings(loaded, container))


async def _savings(loaded: LoadedSettings, container: StoreContainer) -> ReportSavings | None:
    """None: no baseline is declared."""
    analytics = loaded.settings.analytics
    if analytics.baseline is None and not analytics.baselines:
        return None
    from entrypoints.main import declared_savings

    return await declared_savings(loaded, container)
