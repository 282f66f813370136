"""A session of Oracle Database through oracledb's thin mode.

The driver's own way of being cancelled waits for the server's answer, so every call of it runs in a task of
its own: whoever leaves, leaves at once, and `stop` breaks what runs there.
"""

import asyncio
import contextlib
import decimal
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from adapters.databases.pooled_engine import value_bytes
from adapters.databases.reading import tokens_of
from adapters.databases.sessions import Session, SessionLost
from application.ports.database_engine import Limits, Statement
from domain.connectors.query_template import ParameterStyle, bind
from domain.connectors.sql_dialect import SqlDialect
from domain.errors import IntegrationUnavailable, InvalidParameters, ToolFailed

FETCHED_AT_ONCE: Final = 50
"""Rows of at most 32 kB a column; what is larger is fetched for itself."""
BREAK_S: Final = 2.0
"""How long the server gets to answer a break, before the connection is dropped."""
_TOO_LONG: Final = frozenset({"DPY-4024", "ORA-01013", "ORA-00040", "ORA-30006", "ORA-04021", "ORA-00051"})
"""Call timeout, cancelled, elapsed time of the resource manager, waits for locks."""
_LOST: Final = frozenset(
    {"DPY-1001", "DPY-4011", "DPY-6005", "ORA-00028", "ORA-01012", "ORA-01033", "ORA-01034", "ORA-01089",
     "ORA-01092", "ORA-02396", "ORA-02399", "ORA-03113", "ORA-03114", "ORA-03135", "ORA-12537"}
)  # fmt: skip
_CREDENTIAL: Final = frozenset(
    {"ORA-01005", "ORA-01017", "ORA-01045", "ORA-28000", "ORA-28001", "ORA-28002", "ORA-28009", "DPY-4001"}
)
_SETTINGS: Final = (
    "ALTER SESSION SET TIME_ZONE = '+00:00' NLS_COMP = 'BINARY' NLS_SORT = 'BINARY' "
    "NLS_NUMERIC_CHARACTERS = '.,' NLS_DATE_FORMAT = 'YYYY-MM-DD\"T\"HH24:MI:SS'"
)
_RESET: Final = "BEGIN DBMS_SESSION.RESET_PACKAGE; END;"
_PLAIN: Final = (str, int, float, bytes, decimal.Decimal)
_UNREADABLE: Final = ("DB_TYPE_OBJECT", "DB_TYPE_CURSOR", "DB_TYPE_BFILE", "DB_TYPE_LONG", "DB_TYPE_LONG_RAW")
"""Files of the server, open cursors, and kinds whose size cannot be bounded before they are here."""

T = TypeVar("T")


class OracleSession(Session):
    """`driver` is the module oracledb, or what stands in for it."""

    def __init__(self, driver: Any, connection: Any) -> None:
        self.columns: Sequence[str] = ()
        self.types: Sequence[str] = ()
        self.rows_affected = 0
        self.running = False
        self._driver, self._connection = driver, connection
        self._cursor: Any = None
        self._task: asyncio.Task[Any] | None = None
        self._writes = self._spoiled = self._stopped = False
        self._value_bytes_max = 0

    @property
    def version(self) -> str:
        return str(self._connection.version)

    async def learn(self) -> None:
        await self._do(self._say(_SETTINGS))

    async def begin(self, limits: Limits, *, write: bool) -> None:
        self._writes = write
        self._spoiled = self._spoiled or write
        self._value_bytes_max = limits.bytes
        with self._translated():
            self._connection.call_timeout = max(int(limits.timeout_s * 1000), 1)
        if not write:
            await self._do(self._say("SET TRANSACTION READ ONLY"))

    async def run(self, statement: Statement) -> None:
        tokens_of(statement.text, SqlDialect.ORACLE, write=self._writes)
        bound = bind(statement.text, SqlDialect.ORACLE, ParameterStyle.COLON)
        values = [_bindable(statement.values[name], name) for name in bound.names]
        with self._translated():
            self._cursor = cursor = self._connection.cursor()
            cursor.arraysize = FETCHED_AT_ONCE
        self.running = True
        await self._do(
            cursor.execute(bound.text, values or None, fetch_lobs=True, fetch_decimals=True), runs_on=True
        )
        described = cursor.description or ()
        self.columns = tuple(column[0] for column in described)
        names = [str(column[1].name) for column in described]
        if unreadable := next((name for name in names if name in _UNREADABLE), None):
            raise ToolFailed(f"a column is of the type {_type_name(unreadable)}, which cannot be passed on")
        self.types = tuple(map(_type_name, names))
        self.rows_affected = 0 if described else max(int(cursor.rowcount or 0), 0)
        self.running = bool(described)

    async def fetch(self, rows: int, size_bytes: int) -> Sequence[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        size = 0
        while self.columns and self.running and len(found) < rows and size < size_bytes:
            batch = await self._do(
                self._cursor.fetchmany(min(FETCHED_AT_ONCE, rows - len(found))), runs_on=True
            )
            if not batch:
                self.running = False
                break
            for row in batch:
                whole = [await self._whole(value) for value in row]
                found.append(whole)
                size += sum(map(value_bytes, whole))
        return found

    async def _whole(self, value: Any) -> Any:
        """Large values are fetched for themselves, up to the limit of the whole result."""
        if not hasattr(value, "size") or not hasattr(value, "read"):
            return value
        if await self._do(value.size(), runs_on=True) > self._value_bytes_max:
            raise ToolFailed(f"one value has more than {self._value_bytes_max} bytes: ask for less of it")
        return await self._do(value.read(), runs_on=True)

    async def commit(self) -> None:
        await self._do(self._connection.commit())

    async def renew(self) -> None:
        """What wrote may have altered its session in ways that nothing undoes: it is not used again."""
        if self._spoiled:
            raise SessionLost("it wrote")
        await self._do(self._connection.rollback())
        await self._do(self._say(_RESET))

    async def _say(self, text: str) -> None:
        await self._connection.cursor().execute(text)

    async def stop(self) -> None:
        self._stopped = True
        if self._task is not None and not self._task.done():
            with contextlib.suppress(self._driver.Error):
                self._connection.cancel()
            await asyncio.wait({self._task}, timeout=BREAK_S)

    async def close(self) -> None:
        """Logging off rolls back. What the server does not answer is dropped."""
        busy = self._task is not None and not self._task.done()
        try:
            if not busy:
                async with asyncio.timeout(BREAK_S):
                    await self._do(self._connection.close())
        finally:
            self._connection.terminate()
            if self._task is not None and not self._task.done():
                self._task.cancel()

    async def _do(self, work: Coroutine[Any, Any, T], *, runs_on: bool = False) -> T:
        """`runs_on`: what follows on this statement; else nothing runs once it is done."""
        self.running = True
        task = self._task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_seen)
        with self._translated():
            result: T = await asyncio.shield(task)
        if not runs_on:
            self.running = False
        return result

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raises ToolFailed, SessionLost, TimeoutError."""
        try:
            yield
        except self._driver.Error as error:
            code = code_of(error)
            if code in _LOST or self._stopped:
                raise SessionLost("the database ended the connection") from None
            # The statement is over on the server, so its session can be used on.
            self.running = False
            if code in _TOO_LONG:
                raise TimeoutError from None
            raise ToolFailed(told(error)) from None
        except (OSError, EOFError) as error:
            raise SessionLost("the connection to the database broke") from error
        except (TypeError, ValueError, OverflowError):
            self.running = False
            raise ToolFailed("a value is none the database can take, or its answer cannot be read") from None


def code_of(error: BaseException) -> str:
    """Such as ORA-00942 or DPY-4011."""
    detail = error.args[0] if error.args else None
    return str(getattr(detail, "full_code", "") or str(detail or "").partition(":")[0])


def told(error: BaseException) -> str:
    """The server's words without the driver's advice."""
    detail = error.args[0] if error.args else None
    lines = str(getattr(detail, "message", detail) or "the database refused it").splitlines()
    return "; ".join(line for line in lines if line and not line.startswith("Help: "))[:2000]


def refusal(error: BaseException, where: str) -> IntegrationUnavailable:
    """Why we were not let in. The driver's messages hold no password."""
    if code_of(error) in _CREDENTIAL:
        return IntegrationUnavailable(f"the database at {where} refuses our credential: {told(error)}")
    return IntegrationUnavailable(
        f"the database at {where} cannot be reached: {told(error)}", retry_after_s=1.0
    )


def _bindable(value: Any, name: str) -> Any:
    """Before 23ai it has no truth values: they are 1 and 0."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, _PLAIN) or hasattr(value, "isoformat"):
        return value
    raise InvalidParameters(
        f"{name} is a list or an object, which Oracle has no values for", param=f"parameters.{name}"
    )


def _type_name(name: str) -> str:
    return name.removeprefix("DB_TYPE_").lower().replace("_", " ")


def _seen(task: "asyncio.Task[Any]") -> None:
    """Its error is not lost on whoever left."""
    if not task.cancelled():
        task.exception()
