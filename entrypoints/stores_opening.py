"""Opens the stores of a data directory, for servers and commands alike. A part of the composition root: it
names adapters. Commands import no more than this, so that they begin at once."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from adapters.crypto.key_hash import load_peppers
from adapters.sql.administration import DatabaseAdministration
from adapters.sql.database import Database, sqlite_path
from adapters.sql.everywhere import ForEveryTenant
from adapters.sql.opening import REPORT_TIMEOUT_S, open_database
from adapters.sql.postgres_url import is_postgres
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import current, upgrade
from application.reach import reach_everything
from domain.errors import StoreUnavailable
from entrypoints.audit_opening import open_auditing
from entrypoints.outgoing import open_outgoing
from entrypoints.settings import Settings
from entrypoints.store_container import StoreContainer
from entrypoints.vault_opening import open_vault

DATABASE_FILE: Final = "interchange.db"


def database_url(settings: Settings) -> str:
    """The configured database, or the embedded one in the data directory."""
    if settings.storage.database_url is not None:
        return settings.storage.database_url.get_secret_value()
    return f"sqlite:///{settings.data_dir / DATABASE_FILE}"


def administered(settings: Settings) -> DatabaseAdministration:
    """The configured database, as commands look at it."""
    return DatabaseAdministration(database_url(settings))


def has_data(settings: Settings) -> bool:
    """Whether a server kept anything there already.

    False where PostgreSQL cannot be asked: configurations are checked on machines that do not reach it, too.
    """
    if not is_postgres(url := database_url(settings)):
        return Path(sqlite_path(url)).exists()
    try:
        return current(url) is not None
    except StoreUnavailable:
        return False


@asynccontextmanager
async def open_stores(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[StoreContainer]:
    """The stores of the data directory, brought to the shipped schema."""
    async with AsyncExitStack() as stack:
        parts = await open_store_parts(stack, settings, environ)
        yield StoreContainer(**parts)


async def open_store_parts(
    stack: AsyncExitStack, settings: Settings, environ: Mapping[str, str]
) -> dict[str, Any]:
    """What a StoreContainer is made of; the stack closes it."""
    reach_everything()  # what is opened here serves everybody; the entrance narrows what a caller reaches
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = database_url(settings)
    _, reports_max, rest_max = connection_shares(settings.storage.database_connections_max)
    scoped = await _open_database(stack, "interchange-sql", url, rest_max, upgrade_first=True)
    # Reports read many rows; keys and usage must never wait behind them.
    scoped_reports = await _open_database(stack, "interchange-reports", url, reports_max, REPORT_TIMEOUT_S)
    database, reports = ForEveryTenant(scoped), ForEveryTenant(scoped_reports)
    peppers = load_peppers(settings.data_dir, environ.get("INTERCHANGE_KEY_PEPPER"))
    outgoing = open_outgoing(stack, settings)
    return {
        "settings": settings,
        "database": database,
        "reports": reports,
        "scoped": scoped,
        "scoped_reports": scoped_reports,
        "peppers": peppers,
        "outgoing": outgoing,
        "auditing": open_auditing(settings, environ, peppers, database, reports, outgoing.others),
        "vaulting": open_vault(stack, settings, environ, database, outgoing.identities),
    }


def connection_shares(connections_max: int) -> tuple[int, int, int]:
    """How many of a process's connections are for writing usage, for reports, and for everything else."""
    usage = 2 if connections_max >= 6 else 1
    reports = max(1, connections_max * 3 // 10)
    return usage, reports, connections_max - usage - reports


async def _open_database(
    stack: AsyncExitStack,
    name: str,
    url: str,
    connections_max: int,
    timeout_s: float | None = None,
    *,
    upgrade_first: bool = False,
) -> Database:
    """A database with a thread of its own; both are closed by the stack."""
    thread = BlockingThread(name)
    stack.push_async_callback(thread.aclose)
    if upgrade_first:
        await thread.call(lambda: upgrade(url))
    database = open_database(url, thread, connections_max=connections_max, timeout_s=timeout_s)
    stack.push_async_callback(database.aclose)
    return database
