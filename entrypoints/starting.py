"""First steps of a serving process's start."""

from entrypoints.api_routes import read_routes
from entrypoints.config.credential_references import credential_names
from entrypoints.live import Sources
from entrypoints.settings import LoadedSettings
from entrypoints.store_container import StoreContainer


async def first_sources(loaded: LoadedSettings, stores: StoreContainer) -> Sources:
    """What a process starts on. Raises ProvisioningError where a credential does not open."""
    return Sources(
        loaded=loaded,
        catalog=await stores.load_catalog()(),
        priced_on=stores.clock().utc_now().date(),
        routes=read_routes(await stores.route_store().all()),
        credentials=await stores.vaulting().open_named(credential_names(loaded.settings)),
    )
