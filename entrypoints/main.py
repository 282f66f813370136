"""Where everything is put together: the server's application, and use cases for the command line."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from application.budget_book import BudgetBook
from application.ports.model_shelf import ModelShelf
from application.use_cases.catalog_queries import CatalogUseCases
from application.use_cases.change_keys import KeyUseCases
from application.use_cases.follow_budgets import read_budgets
from application.use_cases.follow_limits import read_limits
from application.use_cases.import_keys import ImportKeys
from application.use_cases.manage_credentials import UsedBy, nothing_uses
from application.use_cases.manage_limits import ManageLimits
from application.use_cases.read_usage import UsageUseCases
from domain.budgets.budget import Budget
from domain.catalog.offering import Catalog
from domain.errors import NotFound
from entrypoints.administration import Opened
from entrypoints.api_routes import ApiRoutes, read_routes
from entrypoints.auditing import Auditing
from entrypoints.budgeting import AUTO_ROUTE, Budgeting, BudgetStores, keeping_of, make_budgeting
from entrypoints.command_loop import command_loop, run
from entrypoints.config.credential_references import credential_names
from entrypoints.config.environment import read_environment
from entrypoints.connectors_opening import connector_kinds
from entrypoints.guardrails_opening import check_guardrails
from entrypoints.http.app import Application
from entrypoints.identity import IssuerTold
from entrypoints.identity_opening import issuers_told
from entrypoints.integrating import declared_integrations
from entrypoints.integrations_offline import IntegrationTold, followed, integrations_told
from entrypoints.lifespan import administered, has_data, open_faces, open_stores, redis_told
from entrypoints.limiting import check_names, declared_limits, stored_limits
from entrypoints.limits_opening import limit_store
from entrypoints.live import provisioned
from entrypoints.local_acts import enter_done, entered
from entrypoints.money import check_budget_names, declared_budgets
from entrypoints.provider_endpoints import check_endpoints
from entrypoints.provisioning import Provision, ProvisioningError
from entrypoints.redis_status import RedisTold
from entrypoints.settings import LoadedSettings, Settings, load_settings
from entrypoints.store_container import StoreContainer, bundled_only, command_clock, model_shelf
from entrypoints.tenancy import Managing, start_tenancy
from entrypoints.vault_opening import missing_keyring
from entrypoints.vaulting import OpenedVault, VaultFacts

SIMULATOR_EXPECTED = "http://127.0.0.1:1"
"""Stands for the simulator's address, which is known only when it runs."""


def build_application() -> Application:
    """The ASGI application of one worker, from the environment the supervisor set.

    Raises:
        ConfigError: with every problem of the configuration.
    """
    return Application(partial(open_faces, load_settings(os.environ)))


def planned_provision(loaded: LoadedSettings) -> Provision:
    """What a server would run on with this configuration; reads an existing data directory, makes none.

    Raises:
        ProvisioningError: with everything in the configuration that cannot be built.
    """
    settings = loaded.settings
    if has_data(settings):
        with _stores(loaded, looks=True) as container:
            catalog, routes, budgets = run(_of_stores(container))
            credentials = run(container.vaulting().exist(credential_names(settings)))
            limits, _ = read_limits(run(limit_store(container.database()).all()))
            check_names(declared_limits(settings), limits)
            run(followed(container, settings))
    else:
        catalog, routes, budgets, credentials = bundled_catalog(), ApiRoutes(), (), {}
        declared_integrations(settings, connector_kinds(settings))
    check_budget_names(declared_budgets(settings), budgets)
    planned = provisioned(loaded, catalog, routes, simulator_url=SIMULATOR_EXPECTED, credentials=credentials)
    check_endpoints(planned)
    check_guardrails(settings)
    return planned


async def _of_stores(container: StoreContainer) -> tuple[Catalog, ApiRoutes, tuple[Budget, ...]]:
    budgets, _ = read_budgets(await container.budget_store().all())
    return await container.load_catalog()(), read_routes(await container.route_store().all()), budgets


def redis_facts(loaded: LoadedSettings) -> RedisTold | None:
    """What the configured Redis says of itself; None: there is none.

    Raises InvalidRequest for an address that is none, StoreUnavailable.
    """
    return asyncio.run(redis_told(loaded.settings))


def integration_facts(loaded: LoadedSettings) -> list[IntegrationTold] | None:
    """What integrations say that are declared or stored; None: some are declared, but there is no data
    directory yet, and to look must not make one.

    Raises ProvisioningError, StoreUnavailable.
    """
    settings = loaded.settings
    if not has_data(settings):
        return None if declared_integrations(settings, connector_kinds(settings)).integrations else []
    with _stores(loaded, looks=True) as container:
        return run(integrations_told(container, settings))


def issuer_facts(loaded: LoadedSettings) -> list[IssuerTold]:
    """What the configured issuers of tokens say of themselves."""
    return asyncio.run(issuers_told(loaded.settings))


@contextmanager
def _stores(loaded: LoadedSettings | None = None, *, looks: bool = False) -> Iterator[StoreContainer]:
    """The data directory's stores for one command, without a server; what it changes is entered in the audit
    trail, unless it only `looks`."""
    loaded = loaded or load_settings(os.environ)
    with command_loop():
        opened = open_stores(loaded.settings, loaded.environ)
        container = run(_entered(opened))
        try:
            with nullcontext() if looks else entered(container.auditing().trail):
                yield container
        finally:
            run(_left(opened))


async def _entered(opened: AbstractAsyncContextManager[StoreContainer]) -> StoreContainer:
    return await opened.__aenter__()


async def _left(opened: AbstractAsyncContextManager[StoreContainer]) -> None:
    await opened.__aexit__(None, None, None)


@contextmanager
def open_key_use_cases() -> Iterator[KeyUseCases]:
    """What `interchange keys` works with."""
    loaded = load_settings(os.environ)
    with _stores(loaded) as container:
        run(start_tenancy(container.tenancy().follow, loaded.settings))
        yield container.access().keys


@contextmanager
def open_tenant_use_cases() -> Iterator[Managing]:
    """What `interchange tenants` and `interchange roles` work with."""
    loaded = load_settings(os.environ)
    with _stores(loaded) as container:
        tenancy = container.tenancy()
        run(start_tenancy(tenancy.follow, loaded.settings))
        yield tenancy.managing(lambda: loaded, container.key_store(), container.clock())


@contextmanager
def open_key_import(data_dir: Path | None) -> Iterator[ImportKeys]:
    """What `interchange import` works with: the data directory alone, whatever a configuration file says."""
    given = read_environment(os.environ).data
    settings = Settings.model_validate({**given, **({"data_dir": data_dir} if data_dir else {})})
    with _stores(LoadedSettings(settings=settings, environ=dict(os.environ))) as container:
        yield container.import_keys()


@contextmanager
def open_budgeting(loaded: LoadedSettings) -> Iterator[Budgeting]:
    """What `interchange budget` works with: the stores, and what the file declares."""
    with _stores(loaded) as container:
        made = run(container.route_store().all())
        routes = {AUTO_ROUTE, *loaded.settings.routes, *(route.name for route in made)}
        declared = declared_budgets(loaded.settings)
        stores = BudgetStores(
            budgets=container.budget_store(),
            keys=container.key_store(),
            ledger=container.ledger(),
            books=container.ledger_books(),
            usage=container.usage_query(),
            clock=container.clock(),
            ids=container.ids(),
        )
        keeping = keeping_of(lambda: loaded, lambda: declared, routes.__contains__, _nobody_to_tell)
        yield make_budgeting(stores, keeping, BudgetBook(declared), container.access().keys.create)


@contextmanager
def open_limits(loaded: LoadedSettings) -> Iterator[ManageLimits]:
    """What `interchange limits` works with: the stores, and what the file declares."""
    with _stores(loaded) as container:
        store = limit_store(container.database())
        yield stored_limits(store, container.clock(), container.ids(), loaded)


async def _nobody_to_tell() -> None:
    """Running servers look for themselves."""


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
        yield container.usage_use_cases()


def administration(loaded: LoadedSettings | None = None) -> Opened:
    """What `interchange db` works with; opens nothing."""
    found = loaded or load_settings(os.environ)

    def enter(action: str, subject: str) -> None:
        with _stores(found, looks=True) as container:
            run(enter_done(container.auditing().trail, action, subject))

    retention_days = found.settings.storage.usage_retention_days
    return Opened(administered(found.settings), retention_days, now(), enter)


def open_model_shelf(loaded: LoadedSettings) -> tuple[ModelShelf, str]:
    """What `interchange models` works with, and the precision that is configured; opens nothing."""
    return model_shelf(loaded.settings), loaded.settings.cache.precision


def now() -> datetime:
    """The time, for commands."""
    return command_clock().utc_now()


def bundled_catalog() -> Catalog:
    """What is known of models without a data directory."""
    return asyncio.run(bundled_only().load())


@contextmanager
def open_audit() -> Iterator[Auditing]:
    """What `interchange audit` works with."""
    with _stores() as container:
        yield container.auditing()


@contextmanager
def open_vault_use_cases(loaded: LoadedSettings) -> Iterator[OpenedVault]:
    """What `interchange credentials` works with."""
    with _stores(loaded) as container:
        vaulting, settings = container.vaulting(), loaded.settings
        used_by: UsedBy = nothing_uses
        with suppress(ProvisioningError):  # told by whoever starts a server; credentials may be the remedy
            used_by = run(followed(container, settings)).used_by
        try:
            yield OpenedVault(
                vaulting.manage(lambda: settings, used_by), vaulting, settings.vault.rotate_every_days
            )
        finally:
            run(vaulting.aclose())


def vault_facts(loaded: LoadedSettings) -> VaultFacts | None:
    """How the vault of this machine stands; None: nothing is stored here yet. Makes no keys.

    Raises InvalidRequest for keys that are none, StoreUnavailable.
    """
    settings = loaded.settings
    if not has_data(settings):
        return None
    with _stores(loaded, looks=True) as container:
        vaulting = container.vaulting()
        try:
            if not run(vaulting.vault.store.figures()).tenants:
                return VaultFacts(used=False)
            if (missing := missing_keyring(settings, loaded.environ)) is not None:
                return VaultFacts(used=True, locked=f"{missing} is not there")
            run(vaulting.look())
            return VaultFacts(used=True, locked=vaulting.seen.locked, problems=vaulting.found)
        finally:
            run(vaulting.aclose())


@contextmanager
def open_catalog_use_cases() -> Iterator[CatalogUseCases]:
    """What `interchange catalog` works with."""
    with _stores() as container:
        yield container.catalog_use_cases()
