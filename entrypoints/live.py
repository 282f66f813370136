"""The configuration a worker runs on: taken over from the file, the catalogue and the API while it serves.

Whatever changes, everything is compiled first and then put in place in one step; what cannot be compiled
changes nothing. Requests that run keep what they began with.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from application.ports.routes import RouteStore
from domain.catalog.offering import Catalog
from domain.errors import Conflict, InvalidConfiguration, InvalidRequest, StoreUnavailable
from domain.vault.secret import SecretText
from entrypoints.api_routes import ApiRoutes, read_routes, route_section
from entrypoints.config.credential_references import credential_names, with_credentials
from entrypoints.config.loading import LoadedSettings
from entrypoints.config.problems import ConfigError
from entrypoints.config.reload import FileState, merged, read_again, state_of
from entrypoints.config.root import Settings
from entrypoints.integrated_providers import IntegratedProvider, ProviderIntegrations
from entrypoints.provisioning import Provision, ProvisioningError, provision
from entrypoints.vaulting import Vaulting

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 1.0
SETTLE_S: Final = 0.1
SETTLE_LOOKS_MAX: Final = 20
"""A file that is being written is read when it stopped changing, or after so many looks."""
RELOAD_FILE: Final = "reload.json"
"""Touched by the supervisor on SIGHUP: read the file again even if it looks unchanged."""
SIMULATOR_URL_VARIABLE: Final = "INTERCHANGE_SIMULATOR_URL"


Prepare = Callable[[Settings, Provision], Callable[[], None]]
Entering = Callable[[LoadedSettings, LoadedSettings], AbstractAsyncContextManager[None]]
"""(what runs, what is wanted) -> around putting it in place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything a provision is compiled from."""

    loaded: LoadedSettings
    catalog: Catalog
    priced_on: date
    routes: ApiRoutes = field(default_factory=ApiRoutes)
    credentials: Mapping[str, SecretText] = field(default_factory=dict)
    """What the configuration names of the vault."""
    integrated: tuple[IntegratedProvider, ...] = ()
    """Integrations that are providers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadStatus:
    """How the file and what runs relate. `problems` is why the newest file is not in use; empty: it is."""

    file: str | None
    reloads: int = 0
    failures: int = 0
    problems: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()


def compiled(sources: Sources) -> Provision:
    """Raises ProvisioningError with everything that cannot be built."""
    return provisioned(
        sources.loaded,
        sources.catalog,
        sources.routes,
        simulator_url=sources.loaded.environ.get(SIMULATOR_URL_VARIABLE),
        credentials=sources.credentials,
        integrated=sources.integrated,
    )


def provisioned(
    loaded: LoadedSettings,
    catalog: Catalog,
    routes: ApiRoutes,
    *,
    simulator_url: str | None,
    credentials: Mapping[str, SecretText],
    integrated: tuple[IntegratedProvider, ...] = (),
) -> Provision:
    """What file, catalogue and API come to. Raises ProvisioningError, also for a name that both declare."""
    declared_twice = [
        f"routes.{name}: declared in {declared_in(loaded, name)} and also made through the API (DELETE "
        f"/api/v1/routes/{name}); keep one of them"
        for name in routes.sections
        if name in loaded.settings.routes
    ]
    if declared_twice:
        raise ProvisioningError(declared_twice)
    settings, problems = with_credentials(loaded.settings, credentials)
    if problems:
        raise ProvisioningError(problems)
    return provision(
        settings,
        catalog,
        loaded.environ,
        simulator_url=simulator_url,
        api_routes=routes.sections,
        integrated=integrated,
    )


def declared_in(loaded: LoadedSettings, name: str) -> str | None:
    """Where the file declares this route; None: it does not."""
    if name not in loaded.settings.routes:
        return None
    where = loaded.config_file.name if loaded.config_file is not None else "the configuration"
    line = loaded.lines.get(("routes", name))
    return where if line is None else f"{where}:{line}"


def _not_entered(_running: LoadedSettings, _wanted: LoadedSettings) -> AbstractAsyncContextManager[None]:
    return nullcontext()


class LiveConfiguration:
    """Holds what runs now. `prepare` compiles a configuration beside it, off the event loop; what it returns
    puts that in place in one step on the loop."""

    def __init__(
        self,
        sources: Sources,
        provided: Provision,
        *,
        store: RouteStore,
        prepare: Prepare,
        vaulting: Vaulting | None = None,
    ) -> None:
        self._sources = sources
        self.provided = provided
        self._store = store
        self._prepare = prepare
        self._file = sources.loaded.config_file
        self._seen = self._look()
        self._routes_generation: int | None = None
        self._vaulting = vaulting
        self._vault_generation: int | None = None
        self._changing = asyncio.Lock()
        self.entering: Entering = _not_entered
        """Around taking over another file; what it raises keeps that from happening."""
        self.integrations: ProviderIntegrations | None = None
        """Those that are providers; None: there are none yet."""
        self.status = ReloadStatus(file=None if self._file is None else self._file.name)

    @property
    def loaded(self) -> LoadedSettings:
        return self._sources.loaded

    @property
    def settings(self) -> Settings:
        return self._sources.loaded.settings

    @property
    def catalog(self) -> Catalog:
        return self._sources.catalog

    @property
    def priced_on(self) -> date:
        """The day whose prices are in use."""
        return self._sources.priced_on

    def warnings(self) -> list[str]:
        """What an operator should know about the configuration in use and the file beside it."""
        told = [str(warning) for warning in self.loaded.warnings]
        told += [f"the configuration file is not in use: {problem}" for problem in self.status.problems]
        told += [f"{key} changed in the file; it takes a restart" for key in self.status.needs_restart]
        told += () if self.integrations is None else self.integrations.problems
        return [*told, *self._sources.routes.problems, *self.provided.warnings]

    def route_declared_in(self, name: str) -> str | None:
        """Where the file declares this route; None: it does not."""
        return declared_in(self.loaded, name)

    async def check_route(self, name: str, body: bytes) -> str:
        """A route's body in canonical form. Raises InvalidRequest for what could not be a route here."""
        section = route_section(name, body)
        trial = replace(self._sources, routes=self._sources.routes.trying(name, section))
        try:
            provided = await asyncio.to_thread(compiled, trial)
            problems = [text for text in provided.warnings if text.startswith(f"routes.{name}.")]
        except ProvisioningError as error:
            problems = error.problems
        if problems:
            raise InvalidRequest("; ".join(problems), param="targets")
        return section.model_dump_json(exclude_unset=True)

    async def take_catalog(self, catalog: Catalog, on: date) -> None:
        """Other models and prices from the next request on. Raises ProvisioningError, changing nothing."""
        async with self._changing:
            await self._use(replace(self._sources, catalog=catalog, priced_on=on))

    async def refresh_routes(self) -> None:
        """Takes over what changed among the API's routes. Raises StoreUnavailable; nothing changes then."""
        async with self._changing:
            # Asked before the routes are read: a change in between is seen again next time, never missed.
            generation = await self._store.generation()
            if generation == self._routes_generation:
                return
            routes = read_routes(await self._store.all())
            if routes == self._sources.routes:
                self._routes_generation = generation
                return
            try:
                await self._use(replace(self._sources, routes=routes))
            except ProvisioningError as error:
                self._failed(error.problems)
            else:
                if self.status.problems:
                    # What kept the file out may have been one of these routes.
                    await self._read_file()
            self._routes_generation = generation

    async def refresh_credentials(self) -> None:
        """Takes over what changed among the credentials that the configuration names. Raises
        StoreUnavailable; nothing changes then."""
        names = credential_names(self.settings)
        if self._vaulting is None or not names:
            return
        async with self._changing:
            generation = await self._vaulting.vault.store.generation()
            if generation == self._vault_generation:
                return
            try:
                opened = await self._vaulting.open_named(names)
                if opened != self._sources.credentials:
                    await self._use(replace(self._sources, credentials=opened))
            except ProvisioningError as error:
                self._failed(error.problems)
            self._vault_generation = generation

    async def refresh_integrations(self) -> None:
        """Takes over what changed among integrations that are providers. Raises StoreUnavailable; nothing
        changes then."""
        if self.integrations is None:
            return
        async with self._changing:
            integrated = await self.integrations.read()
            if integrated == self._sources.integrated:
                return
            try:
                await self._use(replace(self._sources, integrated=integrated))
            except ProvisioningError as error:
                self._failed(error.problems)

    async def check_integration(self, each: IntegratedProvider) -> None:
        """Raises Conflict for a name that a provider has already, InvalidConfiguration for what could not be
        one here."""
        sources = self._sources
        providers = self.provided.providers
        taken = providers.get(each.integration_id)
        if taken is not None and (taken.integrated_by, taken.name) != (each.tenant_id, each.name):
            raise Conflict(f"there is a provider {each.integration_id!r} already", param="integration_id")
        others = tuple(other for other in sources.integrated if other.place != each.place)
        trial = replace(sources, integrated=(*others, each))
        problems = (await asyncio.to_thread(compiled, trial)).left_out.get(each.place)
        if problems:
            param = problems[0].partition(":")[0]
            raise InvalidConfiguration("; ".join(problems), param=param)

    async def watch_file(self) -> None:
        """Follows the file until cancelled."""
        while self._file is not None:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look_at_file()
        await asyncio.Event().wait()

    async def look_at_file(self) -> None:
        """Takes the file over when it is another one than before; a bad one is told and left alone."""
        state = self._look()
        if state == self._seen:
            return
        for _ in range(SETTLE_LOOKS_MAX):
            await asyncio.sleep(SETTLE_S)
            settled, state = state, self._look()
            if settled == state:
                break
        self._seen = state
        async with self._changing:
            await self._read_file()

    async def _read_file(self) -> None:
        try:
            wanted = await asyncio.to_thread(read_again, self._sources.loaded)
            usable = merged(self.settings, wanted.settings)
            loaded = replace(wanted, settings=usable.settings)
            async with self.entering(self._sources.loaded, loaded):
                await self._use(replace(self._sources, loaded=loaded))
        except ConfigError as error:
            self._failed([str(problem) for problem in error.problems])
        except ProvisioningError as error:
            self._failed(error.problems)
        except StoreUnavailable as error:
            self._seen = ()  # the next look finds it again
            self._failed([error.message])
        else:
            self.status = replace(
                self.status,
                reloads=self.status.reloads + 1,
                problems=(),
                needs_restart=usable.needs_restart,
            )
            log.warning("the configuration was read again and is in use")
            for key in usable.needs_restart:
                log.warning("%s changed in the configuration file; it takes a restart", key)

    async def _use(self, sources: Sources) -> None:
        """Raises ProvisioningError; nothing changes then."""
        names = credential_names(sources.loaded.settings)
        if self._vaulting is not None and names != frozenset(sources.credentials):
            # The file names others than before.
            sources = replace(sources, credentials=await self._vaulting.open_named(names))
        provided = await asyncio.to_thread(compiled, sources)
        try:
            put_in_place = await asyncio.to_thread(self._prepare, sources.loaded.settings, provided)
            put_in_place()
        except (InvalidRequest, ValueError) as error:
            raise ProvisioningError([str(error)]) from error
        self._sources, self.provided = sources, provided

    def _failed(self, problems: list[str]) -> None:
        self.status = replace(self.status, failures=self.status.failures + 1, problems=tuple(problems))
        for problem in problems:
            log.error("the new configuration is not taken over, the old one stays in use: %s", problem)

    def _look(self) -> tuple[FileState, ...]:
        if self._file is None:
            return ()
        return state_of(self._file), state_of(self.settings.data_dir / RELOAD_FILE)
