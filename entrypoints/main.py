"""Where everything is put together: the server's application, and use cases for the command line."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from application.use_cases.follow_budgets import read_budgets
from application.use_cases.follow_limits import read_limits
from application.use_cases.manage_credentials import UsedBy, nothing_uses
from application.use_cases.report_savings import ReportSavings
from domain.budgets.budget import Budget
from domain.catalog.offering import Catalog
from entrypoints.analysing import make_savings
from entrypoints.api_routes import ApiRoutes, read_routes
from entrypoints.backup_opening import Backups
from entrypoints.command_loop import run
from entrypoints.compiling import compiled_runtime
from entrypoints.config.credential_references import credential_names
from entrypoints.connectors_opening import connector_kinds
from entrypoints.garbage_collection import leave_out_of_collections
from entrypoints.guardrails_opening import check_guardrails
from entrypoints.http.app import Application
from entrypoints.identity import IssuerTold
from entrypoints.identity_opening import issuers_told
from entrypoints.integrating import declared_integrations
from entrypoints.integrations_offline import IntegrationTold, followed, integrations_told
from entrypoints.limiting import check_names, declared_limits
from entrypoints.limits_opening import limit_store
from entrypoints.live import provisioned
from entrypoints.local_stores import bundled_catalog, local_stores, now
from entrypoints.logs_opening import open_logs
from entrypoints.money import check_budget_names, declared_budgets
from entrypoints.provider_endpoints import check_endpoints
from entrypoints.provisioning import Provision, ProvisioningError
from entrypoints.redis_status import RedisTold
from entrypoints.settings import LoadedSettings, load_settings
from entrypoints.store_container import StoreContainer
from entrypoints.stores_opening import database_url, has_data
from entrypoints.vault_opening import missing_keyring
from entrypoints.vaulting import OpenedVault, VaultFacts

SIMULATOR_EXPECTED = "http://127.0.0.1:1"
"""Stands for the simulator's address, which is known only when it runs."""


def build_application() -> Application:
    """The ASGI application of one worker, from the environment the supervisor set.

    Raises:
        ConfigError: with every problem of the configuration.
    """
    from entrypoints.lifespan import open_faces  # all that only workers need

    loaded = load_settings(os.environ)
    open_logs(loaded.settings)
    return Application(partial(open_faces, loaded, built=leave_out_of_collections))


def planned_provision(loaded: LoadedSettings) -> Provision:
    """What a server would run on with this configuration; reads an existing data directory, makes none.

    Raises:
        ProvisioningError: with everything in the configuration that cannot be built.
    """
    settings = loaded.settings
    if has_data(settings):
        with local_stores(loaded, looks=True) as container:
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
    from entrypoints.lifespan import redis_told

    return asyncio.run(redis_told(loaded.settings))


def integration_facts(loaded: LoadedSettings) -> list[IntegrationTold] | None:
    """What integrations say that are declared or stored; None: some are declared, but there is no data
    directory yet, and to look must not make one.

    Raises ProvisioningError, StoreUnavailable.
    """
    settings = loaded.settings
    if not has_data(settings):
        return None if declared_integrations(settings, connector_kinds(settings)).integrations else []
    with local_stores(loaded, looks=True) as container:
        return run(integrations_told(container, settings))


def issuer_facts(loaded: LoadedSettings) -> list[IssuerTold]:
    """What the configured issuers of tokens say of themselves."""
    return asyncio.run(issuers_told(loaded.settings))


async def declared_savings(loaded: LoadedSettings, container: StoreContainer) -> ReportSavings | None:
    """Against the declared baseline, at the prices a server would have; None: the configuration lacks
    something."""
    settings = loaded.settings
    catalog, routes, _ = await _of_stores(container)
    credentials = await container.vaulting().exist(credential_names(settings))
    try:
        planned = provisioned(
            loaded, catalog, routes, simulator_url=SIMULATOR_EXPECTED, credentials=credentials
        )
    except ProvisioningError:
        return None  # what a configuration lacks is the business of `config check`
    runtime = compiled_runtime(settings, planned)
    return make_savings(
        container.usage_query(), container.usage_rows(), runtime, container.clock(), lambda: settings
    )


def backups(loaded: LoadedSettings) -> Backups:
    """What `interchange backup` works with; opens nothing."""
    return Backups(loaded, database_url(loaded.settings), now(), partial(local_stores, loaded))


@contextmanager
def open_vault_use_cases(loaded: LoadedSettings) -> Iterator[OpenedVault]:
    """What `interchange credentials` works with."""
    with local_stores(loaded) as container:
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
    with local_stores(loaded, looks=True) as container:
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
