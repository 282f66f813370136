"""What engines over pools of sessions have in common: limits, time, cancelling, replacing what broke.

The server is told a time limit where it knows one; ours strikes a little later. Whoever leaves, or takes too
long, leaves a session that still runs something: the pool stops that on the server and closes it.
"""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Generic

from adapters.databases.sessions import PoolSettings, SessionLost, SessionPool, SessionT
from application.ports.connector import ConnectorFigures
from application.ports.database_engine import Changed, Engine, Limits, RowCursor, Rows, Statement
from domain.errors import IntegrationUnavailable, InterchangeError, ToolFailed

GRACE_S: Final = 0.5
"""How much later than the server's our own limit strikes."""
BATCH_BYTES: Final = 256 * 1024
BATCH_ROWS: Final = 1000
_LENDS: Final = 3
"""Sessions tried when those that were used before turn out to be broken."""
_NUMBER_BYTES: Final = 8


class PooledEngine(Engine, Generic[SessionT]):
    """Give it `dialect` and `_open`; `_explain`, `describe` and `check` are its dialect's own."""

    dialect: str

    def __init__(self, pool: PoolSettings) -> None:
        """Connects to nothing yet."""
        self._pool: SessionPool[SessionT] = SessionPool(self._open, pool)

    @abstractmethod
    async def _open(self) -> SessionT:
        """Raises IntegrationUnavailable, EgressRefused, SessionLost."""
        ...

    async def read(self, statement: Statement, limits: Limits) -> Rows:
        async with self._transaction(limits, write=False) as session:
            await session.run(statement)
            return await take_rows(session, limits)

    async def write(self, statement: Statement, limits: Limits) -> Changed:
        async with self._transaction(limits, write=True) as session:
            await session.run(statement)
            returned = await take_rows(session, limits) if session.columns else None
            if returned is not None and returned.truncated:
                raise ToolFailed("it returns more than the limit allows; nothing was changed")
            affected = session.rows_affected
            await session.commit()
        return Changed(rows_affected=affected, returned=returned)

    async def open_cursor(self, statement: Statement, limits: Limits) -> RowCursor:
        deadline = asyncio.get_running_loop().time() + limits.timeout_s + GRACE_S
        session = await self._begun(limits, write=False)
        try:
            async with asyncio.timeout_at(deadline):
                await session.run(statement)
        except SessionLost as error:
            self._pool.take_back(session)
            raise _unavailable(error) from None
        except BaseException:
            self._pool.take_back(session)
            raise
        return SessionCursor(self._pool, session, limits, deadline)

    def figures(self) -> ConnectorFigures:
        return self._pool.figures()

    async def aclose(self) -> None:
        await self._pool.aclose()

    @asynccontextmanager
    async def _transaction(self, limits: Limits, *, write: bool) -> AsyncIterator[SessionT]:
        """A session in a transaction that the pool rolls back, unless it was committed."""
        session = await self._begun(limits, write=write)
        try:
            async with asyncio.timeout(limits.timeout_s + GRACE_S):
                yield session
        except SessionLost as error:
            raise _unavailable(error) from None
        finally:
            self._pool.take_back(session)

    async def _begun(self, limits: Limits, *, write: bool) -> SessionT:
        """Nothing was sent yet that counts, so a session that broke while it was idle is replaced."""
        for _ in range(_LENDS):
            try:
                session, used = await self._pool.lend(limits.timeout_s)
            except SessionLost as error:
                raise _unavailable(error) from None
            try:
                async with asyncio.timeout(limits.timeout_s):
                    await session.begin(limits, write=write)
                return session
            except SessionLost as error:
                self._pool.take_back(session)
                self._pool.forget_idle()
                if not used:
                    raise _unavailable(error) from None
            except BaseException:
                self._pool.take_back(session)
                raise
        raise IntegrationUnavailable("the database ends our connections", retry_after_s=1.0)

    async def _asked(self, text: str, values: Mapping[str, Any], limits: Limits) -> Sequence[Sequence[Any]]:
        """Rows of a question of our own about the database."""
        return (await self.read(Statement(text, values), limits)).rows


class SessionCursor(RowCursor, Generic[SessionT]):
    """A result in batches; its session goes back to the pool at the end."""

    def __init__(
        self, pool: SessionPool[SessionT], session: SessionT, limits: Limits, deadline: float
    ) -> None:
        self.columns, self.types = session.columns, session.types
        self._pool, self._limits, self._deadline = pool, limits, deadline
        self._session: SessionT | None = session

    async def batches(self) -> AsyncIterator[Sequence[Sequence[Any]]]:
        rows_left, bytes_left = self._limits.rows, self._limits.bytes
        while self._session is not None:
            try:
                async with asyncio.timeout_at(self._deadline):
                    batch = await self._session.fetch(BATCH_ROWS, BATCH_BYTES)
            except SessionLost as error:
                await self.aclose()
                raise _unavailable(error) from None
            except BaseException:
                await self.aclose()
                raise
            rows_left -= len(batch)
            bytes_left -= sum(map(row_bytes, batch))
            if not batch:
                break
            if rows_left < 0 or bytes_left < 0:
                await self.aclose()
                raise ToolFailed("the result is larger than the limit; it is not whole")
            yield batch
        await self.aclose()

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._pool.take_back(session)


async def take_rows(session: SessionT, limits: Limits) -> Rows:
    """Up to the limits; the session runs on when there is more."""
    rows: list[Sequence[Any]] = []
    size = 0
    truncated = False
    while not truncated:
        # Two more than asked for: one tells that there is more, and the server is told to end after it.
        batch = await session.fetch(min(BATCH_ROWS, limits.rows + 2 - len(rows)), BATCH_BYTES)
        if not batch:
            break
        for row in batch:
            size += row_bytes(row)
            if size > limits.bytes or len(rows) >= limits.rows:
                truncated = True
                break
            rows.append(row)
    if truncated and session.running:
        await session.fetch(1, BATCH_BYTES)  # the end may be all that is left; if not, the pool stops it
    return Rows(columns=session.columns, types=session.types, rows=rows, truncated=truncated)


def row_bytes(row: Sequence[Any]) -> int:
    """About how much memory and wire a row takes."""
    return sum(value_bytes(value) for value in row)


def value_bytes(value: Any) -> int:
    """Text counts as UTF-8 would at least; lists and objects (JSON, arrays) as what is in them."""
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, list | tuple):
        return _NUMBER_BYTES + sum(map(value_bytes, value))
    if isinstance(value, dict):
        return _NUMBER_BYTES + sum(len(str(key)) + value_bytes(each) for key, each in value.items())
    return _NUMBER_BYTES


def _unavailable(error: SessionLost) -> InterchangeError:
    return IntegrationUnavailable(str(error) or "the database ended the connection", retry_after_s=1.0)
