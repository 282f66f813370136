"""Databases that are files of this machine: which of them an integration may open, and sessions with them."""

import asyncio
import stat
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from adapters.databases.configuration import DatabaseConfiguration
from adapters.databases.own_thread import OwnThread
from adapters.databases.pooled_engine import row_bytes
from adapters.databases.sessions import PoolSettings, Session
from application.ports.database_engine import Limits, Statement
from domain.connectors.query_template import BoundText, ParameterStyle, bind
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_tokens import SqlUnreadable
from domain.errors import (
    IntegrationUnavailable,
    InterchangeError,
    InvalidConfiguration,
    InvalidParameters,
    ToolRefused,
)

PLACES_MAX: Final = 8
"""Threads of one integration, whatever its pool asks for."""
FETCH_ROWS: Final = 256
"""At most at once, so that what is told to stop does so soon."""
INTERRUPT_EVERY_S: Final = 0.05
T = TypeVar("T")


class DatabaseFile(NamedTuple):
    """`writable`: a tool of the integration writes, so the file is opened for that."""

    path: Path
    folders: tuple[Path, ...]
    writable: bool

    def now(self) -> Path:
        """Where it really is at this moment: one of the folders, whatever links say.

        Raises IntegrationUnavailable.
        """
        try:
            real = self.path.resolve(strict=True)
            mode = real.stat().st_mode
        except (OSError, RuntimeError, ValueError):
            raise IntegrationUnavailable("the database file is not there, or cannot be read") from None
        if not any(real.is_relative_to(folder.resolve()) for folder in self.folders):
            raise IntegrationUnavailable(
                "the database file is outside the folders that are open to integrations"
            )
        if not stat.S_ISREG(mode):
            raise IntegrationUnavailable("the database is not a file")
        return real


def database_file(configuration: DatabaseConfiguration, folders: Sequence[Path]) -> DatabaseFile:
    """Nothing is opened yet. Raises InvalidConfiguration."""
    place = configuration.place
    if place.host or place.port is not None:
        raise InvalidConfiguration(
            f"endpoint has to be {place.scheme}:///path/of/the/file, with three slashes", param="endpoint"
        )
    if configuration.username:
        raise InvalidConfiguration(
            "authentication must be of type none: a file asks nobody who he is", param="authentication.type"
        )
    path = Path(place.database)
    if not path.is_absolute() or ".." in path.parts or not path.name:
        raise InvalidConfiguration(
            "endpoint has to name a file by its whole path, without '..'", param="endpoint"
        )
    if not folders:
        raise InvalidConfiguration(
            "endpoint names a file, but no folder is open to integrations; whoever runs this installation "
            "can list its folder in connectors.folders of the configuration",
            param="endpoint",
        )
    if not any(path.is_relative_to(folder) or path.is_relative_to(folder.resolve()) for folder in folders):
        raise InvalidConfiguration(
            "endpoint names a file outside the folders that are open to integrations (connectors.folders of "
            "the configuration)",
            param="endpoint",
        )
    writes = configuration.free_sql.write or any(
        not each.read_only for each in configuration.queries.values()
    )
    return DatabaseFile(path, tuple(folders), writes)


def file_pool(configuration: DatabaseConfiguration) -> PoolSettings:
    pool = configuration.pool
    return PoolSettings(
        places=min(pool.max, PLACES_MAX),
        idle_s=pool.idle_s,
        kept=min(pool.min, PLACES_MAX),
        waiting_max=pool.waiting_max,
    )


class FileSession(Session):
    """What sessions with a driver in our own process have in common. Methods that begin with `do_` or
    `_do_` run in the thread, and raise the errors of `Engine` or of the driver, which `_told` translates."""

    dialect: SqlDialect

    def __init__(self, thread: OwnThread) -> None:
        self.thread = thread
        self.columns: Sequence[str] = ()
        self.types: Sequence[str] = ()
        self.rows_affected = 0
        self.running = False
        self.stopping = False
        self._write = False

    @abstractmethod
    def _do_begin(self, limits: Limits, *, write: bool) -> None: ...

    @abstractmethod
    def _do_run(self, text: str, arguments: list[Any]) -> None:
        """Sets `columns`, `types` and `rows_affected`."""
        ...

    @abstractmethod
    def _do_fetch(self, rows: int) -> Sequence[Sequence[Any]]: ...

    @abstractmethod
    def _do_commit(self) -> None: ...

    @abstractmethod
    def _do_renew(self) -> None: ...

    @abstractmethod
    def do_close(self) -> None: ...

    @abstractmethod
    def _interrupt(self) -> None:
        """From any thread: what the driver is doing ends soon."""
        ...

    @abstractmethod
    def _told(self, error: Exception) -> Exception | None:
        """An error of the driver in the words of `Engine`; None: it is none of the driver's."""
        ...

    @abstractmethod
    def _bindable(self, value: Any) -> Any:
        """Raises ValueError with what is wrong with it."""
        ...

    async def begin(self, limits: Limits, *, write: bool) -> None:
        self._write = write
        await self._done(lambda: self._do_begin(limits, write=write), ends=True)

    async def run(self, statement: Statement) -> None:
        bound = self._bound(statement.text)
        arguments = self._arguments(bound, statement.values)
        await self._done(lambda: self._do_run(bound.text, arguments), ends=False)
        self.running = bool(self.columns)

    async def fetch(self, rows: int, size_bytes: int) -> Sequence[Sequence[Any]]:
        if not self.columns or not self.running:
            return ()
        return await self._done(lambda: self._fetched(rows, size_bytes), ends=False)

    async def commit(self) -> None:
        await self._done(self._do_commit, ends=True)

    async def renew(self) -> None:
        self.columns = self.types = ()
        await self._done(self._do_renew, ends=True)

    async def stop(self) -> None:
        """Until the thread is free: what is told to stop before it began does not hear that."""
        self.stopping = True
        free = asyncio.ensure_future(self.thread.call(lambda: None))
        try:
            while not free.done():
                self._interrupt()
                await asyncio.wait({free}, timeout=INTERRUPT_EVERY_S)
        finally:
            free.cancel()

    async def close(self) -> None:
        self.stopping = True
        self._interrupt()
        self.thread.end(self.do_close)

    def _bound(self, text: str) -> BoundText:
        try:
            return bind(text, self.dialect, ParameterStyle.QUESTION)
        except SqlUnreadable as error:
            raise ToolRefused(f"the statement cannot be read: {error}") from None

    def _arguments(self, bound: BoundText, values: Mapping[str, Any]) -> list[Any]:
        arguments = []
        for name in bound.names:
            try:
                arguments.append(self._bindable(values[name]))
            except ValueError as error:
                param = f"parameters.{name}"
                raise InvalidParameters(f"{param} {error}", param=param) from None
        return arguments

    def _fetched(self, rows: int, size_bytes: int) -> Sequence[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        size, step = 0, 1
        while len(found) < rows and size < size_bytes and not self.stopping:
            asked = min(step, rows - len(found))
            batch = self._do_fetch(asked)
            found.extend(batch)
            size += sum(map(row_bytes, batch))
            if len(batch) < asked:
                self.running = False
                break
            step = min(step * 2, FETCH_ROWS)
        return found

    async def _done(self, work: Callable[[], T], *, ends: bool) -> T:
        """`running` stays set where nobody waited for the end."""
        self.running = True
        try:
            result = await self.thread.call(work)
        except InterchangeError:
            self.running = False
            raise
        except Exception as error:
            told = self._told(error)
            if told is None:
                raise
            self.running = False
            raise told from None
        if ends:
            self.running = False
        return result
