"""Migrations of PostgreSQL: one process at a time, whichever machine it is on.

Whoever migrates holds an advisory lock in a transaction of its own. The others ask for it again and again
rather than wait in the server: a waiting statement holds a snapshot, and building an index concurrently would
wait for that in turn.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from adapters.sql.database import unavailable
from adapters.sql.postgres_url import connection_settings
from adapters.sql.row_security import say_whom, say_whom_for_session
from adapters.sql.sqlstate import sqlstate
from application.reach import EVERY_TENANT
from domain.errors import StoreUnavailable

Result = TypeVar("Result")
LOCK: Final = 0x1C_6D69_6772
WAIT_FOR_OTHERS_S: Final = 600.0
WAIT_FOR_SERVER_S: Final = 15.0
"""Servers that start together with the database find it soon."""
ASK_AGAIN_AFTER_S: Final = 0.25
OLDEST_SERVER: Final = 140000

_STARTING: Final = "57P03"
_FAILURES: Final = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


def revision_of(url: str) -> str | None:
    """The revision of a database; None when it is empty. Raises InvalidRequest, StoreUnavailable."""
    return _in_loop(url, lambda engine: _with_connection(engine, _revision), patience_s=0.0)


def change_alone(url: str, goal: str | None, migrate: Callable[[Connection], None]) -> bool:
    """Runs `migrate` unless the database is at `goal`. Whether it ran. Raises as `revision_of` does."""

    async def change(engine: AsyncEngine) -> bool:
        if await _with_connection(engine, _revision) == goal:
            return False
        async with _alone(engine):
            if await _with_connection(engine, _revision) == goal:
                return False
            async with engine.connect() as connection:
                await connection.run_sync(say_whom_for_session, EVERY_TENANT)
                await connection.commit()
                await connection.run_sync(migrate)
        return True

    return _in_loop(url, change)


def ask(url: str, work: Callable[[Connection], Result]) -> Result:
    """What `work` returns, committed; it may take as long as it needs. Raises as `revision_of` does."""

    async def run(engine: AsyncEngine) -> Result:
        async with engine.connect() as connection, connection.begin():
            await connection.run_sync(say_whom, EVERY_TENANT)
            return await connection.run_sync(work)

    return _in_loop(url, run, patience_s=0.0)


def _in_loop(
    url: str,
    work: Callable[[AsyncEngine], Coroutine[Any, Any, Result]],
    *,
    patience_s: float = WAIT_FOR_SERVER_S,
) -> Result:
    settings = connection_settings(url, statement_timeout_s=None)

    async def connect(**_nothing: Any) -> asyncpg.Connection:
        return await asyncpg.connect(**settings)

    async def run() -> Result:
        engine = create_async_engine(
            "postgresql+asyncpg://", connect_args={"async_creator_fn": connect}, poolclass=NullPool
        )
        try:
            await _reachable(engine, patience_s)
            return await work(engine)
        except _FAILURES as error:
            raise unavailable(error) from error
        finally:
            await engine.dispose()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    with ThreadPoolExecutor(max_workers=1) as thread:  # whoever calls this from a loop wants to be blocked
        return thread.submit(lambda: asyncio.run(run())).result()


async def _reachable(engine: AsyncEngine, patience_s: float) -> None:
    now = asyncio.get_running_loop().time
    until = now() + patience_s
    while True:
        try:
            async with engine.connect() as connection:
                version = int(await connection.scalar(text("SHOW server_version_num")) or 0)
            break
        except _FAILURES as error:
            starting = isinstance(error, ConnectionError | TimeoutError) or sqlstate(error) == _STARTING
            if not starting or now() >= until:
                raise
        await asyncio.sleep(ASK_AGAIN_AFTER_S)
    if version < OLDEST_SERVER:
        raise StoreUnavailable(
            f"PostgreSQL {version // 10000} is too old; 14 is the oldest that is supported"
        )


async def _with_connection(
    engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[Result]]
) -> Result:
    async with engine.connect() as connection:
        return await work(connection)


async def _revision(connection: AsyncConnection) -> str | None:
    if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if revision is None else str(revision)


@asynccontextmanager
async def _alone(engine: AsyncEngine) -> AsyncIterator[None]:
    now = asyncio.get_running_loop().time
    until = now() + WAIT_FOR_OTHERS_S
    while True:
        async with engine.connect() as connection, connection.begin():
            if await connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({LOCK})")):
                yield
                return
        if now() >= until:
            raise StoreUnavailable(
                f"another process has been migrating the database for {WAIT_FOR_OTHERS_S:g} s"
            )
        await asyncio.sleep(ASK_AGAIN_AFTER_S)
