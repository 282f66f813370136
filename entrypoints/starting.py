"""First and last steps of a serving process's start."""

import gc
from typing import Final

from entrypoints.api_routes import read_routes
from entrypoints.config.credential_references import credential_names
from entrypoints.live import Sources
from entrypoints.settings import LoadedSettings
from entrypoints.store_container import StoreContainer

GC_THRESHOLDS: Final = (20_000, 50, 100)
"""A request leaves hundreds of short-lived containers and no cycles; Python's own 700 looks in vain."""


async def first_sources(loaded: LoadedSettings, stores: StoreContainer) -> Sources:
    """What a process starts on. Raises ProvisioningError where a credential does not open."""
    return Sources(
        loaded=loaded,
        catalog=await stores.load_catalog()(),
        priced_on=stores.clock().utc_now().date(),
        routes=read_routes(await stores.route_store().all()),
        credentials=await stores.vaulting().open_named(credential_names(loaded.settings)),
    )


def leave_out_of_collections() -> None:
    """What was built so far lives as long as the process: no later collection looks at it.

    For processes that serve until they end. In one that opens and closes several servers, such as that of
    tests, nothing of the former ones would ever be freed.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
