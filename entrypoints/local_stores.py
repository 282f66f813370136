"""Stores of this machine for one command, without a server. Imports nothing that only servers need, so that
`interchange keys list` does not wait for providers, drivers and routes it will never use."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

from application.ports.model_shelf import ModelShelf
from application.use_cases.catalog_queries import CatalogUseCases
from application.use_cases.change_keys import KeyUseCases
from application.use_cases.import_keys import ImportKeys
from domain.catalog.offering import Catalog
from entrypoints.administration import Opened
from entrypoints.auditing import Auditing
from entrypoints.command_loop import command_loop, run
from entrypoints.config.environment import read_environment
from entrypoints.local_acts import enter_done, entered
from entrypoints.settings import LoadedSettings, Settings, load_settings
from entrypoints.store_container import StoreContainer, bundled_only, command_clock, model_shelf
from entrypoints.stores_opening import administered, open_stores
from entrypoints.tenancy import Managing, start_tenancy


@contextmanager
def local_stores(loaded: LoadedSettings | None = None, *, looks: bool = False) -> Iterator[StoreContainer]:
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
    with local_stores(loaded) as container:
        run(start_tenancy(container.tenancy().follow, loaded.settings))
        yield container.access().keys


@contextmanager
def open_tenant_use_cases() -> Iterator[Managing]:
    """What `interchange tenants` and `interchange roles` work with."""
    loaded = load_settings(os.environ)
    with local_stores(loaded) as container:
        tenancy = container.tenancy()
        run(start_tenancy(tenancy.follow, loaded.settings))
        yield tenancy.managing(lambda: loaded, container.key_store(), container.clock())


@contextmanager
def open_key_import(data_dir: Path | None) -> Iterator[ImportKeys]:
    """What `interchange import` works with: the data directory alone, whatever a configuration file says."""
    given = read_environment(os.environ).data
    settings = Settings.model_validate({**given, **({"data_dir": data_dir} if data_dir else {})})
    with local_stores(LoadedSettings(settings=settings, environ=dict(os.environ))) as container:
        yield container.import_keys()


def administration(loaded: LoadedSettings | None = None) -> Opened:
    """What `interchange db` works with; opens nothing."""
    found = loaded or load_settings(os.environ)

    def enter(action: str, subject: str) -> None:
        with local_stores(found, looks=True) as container:
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
    with local_stores() as container:
        yield container.auditing()


@contextmanager
def open_catalog_use_cases() -> Iterator[CatalogUseCases]:
    """What `interchange catalog` works with."""
    with local_stores() as container:
        yield container.catalog_use_cases()
