"""PostgreSQL behind the same interface as the embedded database: asyncpg under SQLAlchemy, a bounded pool.

Every wait ends: connecting, waiting for a connection, a statement, a lock, and the transaction as a whole.
A server that was restarted is noticed by the first statement on an old connection; the transaction then
runs once more on a new one, so nothing has to be restarted on this side.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, Final, Never, TypeVar

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.sql.database import unavailable
from adapters.sql.postgres_url import CONNECT_TIMEOUT_S, connection_settings
from adapters.sql.row_security import say_whom
from adapters.sql.sqlstate import sqlstate
from application.reach import reach
from domain.errors import StoreUnavailable

Result = TypeVar("Result")
CONNECTIONS_MAX: Final = 5
TIMEOUT_S: Final = 10.0
WAITING_MAX: Final = 256
TRIES_MAX: Final = 12
"""How often a transaction is run when other writers keep coming in between; its time bounds all of it."""
RETRY_AFTER_S: Final = 0.02
RETRY_AFTER_MAX_S: Final = 0.5
RECYCLE_AFTER_S: Final = 1800
CLOSE_TIMEOUT_S: Final = 5.0
TIDYING_MAX_S: Final = 0.5
"""How long a caller waits for a transaction that was given up to be undone; the rest is nobody's wait."""

_CLEANED: Final = "interchange_cleaned"
_READ: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_WRITE_ALONE: Final = {"isolation_level": "SERIALIZABLE"}
_WRITE_TOGETHER: Final = {"isolation_level": "READ COMMITTED"}

_BETWEEN: Final = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the whole transaction was undone because of another one."""
_CHECK_VIOLATION: Final = "23514"
_NOT_A_CHARACTER: Final = frozenset({"22021", "22P05"})
_FAILURES: Final = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class PostgresDatabase:
    """Runs functions in transactions of their own tasks, at most `connections_max` at a time.

    Belongs to one event loop. Functions run in that loop between their statements, so they stay short.
    """

    def __init__(
        self,
        url: str,
        *,
        connections_max: int = CONNECTIONS_MAX,
        timeout_s: float = TIMEOUT_S,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        """Connects to nothing yet; `timeout_s` bounds a transaction from asking to committed.

        Raises:
            InvalidRequest: a URL it cannot serve.
        """
        self._engine = open_async_engine(url, connections_max=connections_max, timeout_s=timeout_s)
        self._timeout_s = timeout_s
        self._waiting_max = waiting_max
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False
        self.dialect = self._engine.dialect

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns from a consistent view. Raises StoreUnavailable."""
        return await self._run(work, _READ)

    async def write(self, work: Callable[[Connection], Result], *, alone: bool = True) -> Result:
        """What `work` returns, committed. Raises StoreUnavailable, or one of REFUSED_VALUES.

        After StoreUnavailable the work may have been committed all the same: the answer can get lost.
        """
        return await self._run(work, _WRITE_ALONE if alone else _WRITE_TOGETHER)

    async def _run(self, work: Callable[[Connection], Result], options: Mapping[str, Any]) -> Result:
        if self._closed:
            raise StoreUnavailable("the database is closed")
        if len(self._running) >= self._waiting_max:
            raise StoreUnavailable(
                f"the database is overloaded: {len(self._running)} transactions wait", retry_after_s=1.0
            )
        task = asyncio.create_task(self._bounded(work, options))
        self._running.add(task)
        task.add_done_callback(self._done)
        # `wait` neither cancels the task when the caller leaves, nor waits for a cancelled one to tidy up,
        # which a server that stands still can drag out.
        finished, _ = await asyncio.wait({task}, timeout=self._timeout_s + TIDYING_MAX_S)
        return task.result() if finished else self._too_slow()

    async def _bounded(self, work: Callable[[Connection], Result], options: Mapping[str, Any]) -> Result:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._tries(work, options)
        except TimeoutError:
            return self._too_slow()

    def _too_slow(self) -> Never:
        raise StoreUnavailable(f"the database did not answer within {self._timeout_s:g} s", retry_after_s=1.0)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when the caller has left

    async def _tries(self, work: Callable[[Connection], Result], options: Mapping[str, Any]) -> Result:
        reconnected, whom = False, reach()
        for tried in range(1, TRIES_MAX + 1):
            transaction = _Transaction(self._engine, options, whom)
            try:
                return await transaction.run(work)
            except _FAILURES as error:
                state = sqlstate(error)
                if (state in _BETWEEN or _moved_part(error)) and tried < TRIES_MAX:
                    # Longer each time, at random: of many at once, few stay in each other's way.
                    longest_s = min(RETRY_AFTER_S * 2 ** (tried - 1), RETRY_AFTER_MAX_S)
                    await asyncio.sleep(longest_s * random.random())  # noqa: S311
                    continue
                if state in _NOT_A_CHARACTER and not options.get(_CLEANED):
                    options = {**options, _CLEANED: True}
                    continue
                if transaction.lost and not transaction.committing and not reconnected:
                    reconnected = True
                    continue
                raise told(error) from error
        raise AssertionError("the last try returns or raises")

    async def make_durable(self) -> bool:
        """True: every commit waits for the disk (`synchronous_commit`), so there is nothing left to do."""
        return True

    async def aclose(self) -> None:
        """Waits for transactions that have begun, then closes every connection. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._running:
            await asyncio.wait(set(self._running), timeout=self._timeout_s)
        for task in self._running:
            task.cancel()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._engine.dispose()
        except TimeoutError:
            pass  # a server that stands still; the sockets end with the process


class _Transaction:
    """One try. `committing`: from here on the server may have committed; `lost`: the connection broke."""

    def __init__(self, engine: AsyncEngine, options: Mapping[str, Any], whom: str) -> None:
        self._engine = engine
        self._options = options
        self._whom = whom
        self.committing = False
        self.lost = False

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        async with self._engine.connect() as connection:
            await connection.execution_options(**self._options)
            try:
                async with connection.begin():
                    result = await connection.run_sync(self._work, work)
                    self.committing = True
                return result
            except BaseException:
                self.lost = connection.invalidated
                raise

    def _work(self, connection: Connection, work: Callable[[Connection], Result]) -> Result:
        # In the transaction and only for it, so that a pooled connection carries nobody's reach on.
        say_whom(connection, self._whom)
        return work(connection)


def open_async_engine(url: str, *, connections_max: int, timeout_s: float) -> AsyncEngine:
    """An engine for one event loop. Raises InvalidRequest for a URL it cannot serve."""
    settings = connection_settings(url, statement_timeout_s=timeout_s)

    async def connect(**_nothing: Any) -> asyncpg.Connection:
        return await asyncpg.connect(**settings)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={"async_creator_fn": connect},
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=timeout_s + CONNECT_TIMEOUT_S,
        pool_recycle=RECYCLE_AFTER_S,
        pool_use_lifo=True,
    )
    event.listen(engine.sync_engine, "before_cursor_execute", _clean, retval=True)
    return engine


def _clean(
    _connection: Connection, _cursor: Any, statement: str, parameters: Any, context: Any, _many: bool
) -> tuple[str, Any]:
    """NUL is text everywhere but in PostgreSQL; where it refused one, U+FFFD takes its place."""
    if context is None or not context.execution_options.get(_CLEANED):
        return statement, parameters
    return statement, _without_nul(parameters)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, (list, tuple)):
        return type(value)(_without_nul(each) for each in value)
    return value


def _moved_part(error: BaseException) -> bool:
    """Whether a row was on its way into one part of a table while another one was attached for it.

    PostgreSQL says it like a broken CHECK, but without the name of one.
    """
    if sqlstate(error) != _CHECK_VIOLATION:
        return False
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "constraint_name", None) is not None:
            return False
        seen = getattr(seen, "orig", None) or seen.__cause__
    return True


def told(error: Exception) -> Exception:
    """An error in the words of `Database.write`: one of REFUSED_VALUES, or StoreUnavailable.

    Only the classes 22 and 23 are about values; anything else may be well again a moment later.
    """
    state = sqlstate(error) or ""
    if isinstance(error, IntegrityError):
        return error
    if state.startswith("23"):
        return IntegrityError(None, None, error)
    if state.startswith("22") or _unfit(error):
        return DataError(getattr(error, "statement", None), None, error)
    return unavailable(error)


def _unfit(error: BaseException) -> bool:
    """Whether the driver could not even encode a value, so that nothing was sent."""
    cause = getattr(error, "orig", None) or error
    seen: BaseException | None = cause
    while seen is not None:
        if isinstance(seen, (UnicodeEncodeError, OverflowError)):
            return True
        seen = seen.__cause__
    return False
