"""Real databases for suites, which can be taken away and given back."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Protocol

from adapters.sql.database import Database, SqlDatabase
from adapters.sql.opening import open_database
from adapters.sql.postgres import PostgresDatabase
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import upgrade
from tests.contract.postgres_server import postgres_server

TIMEOUT_S = 20.0


@cache
def migrated_sqlite() -> Path:
    """An empty database at the shipped schema, made once per process, to be copied: one file, as nobody has
    it open."""
    folder = Path(tempfile.mkdtemp(prefix="interchange-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    upgrade(f"sqlite:///{folder / 'interchange.db'}")
    (found,) = (each for each in folder.iterdir() if not each.name.endswith(".upgrade-lock"))
    return found


class AnySqlWorld(Protocol):
    """A database of either kind at the shipped schema. `thread` is for what blocks beside it."""

    url: str
    thread: BlockingThread

    @property
    def database(self) -> Database: ...

    def another(self) -> Database:
        """The same database once more, as another process would see it. To be closed by whoever asked."""

    def lose(self) -> None: ...

    def restore(self) -> None: ...

    async def aclose(self) -> None: ...


class SqlWorld:
    """One database file in a folder of its own. Taking it away puts a folder in its place."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "interchange.db"
        self.url = f"sqlite:///{self.path}"
        if not self.path.exists():  # else it is somebody's, and the test wants to see what is in it
            shutil.copyfile(migrated_sqlite(), self.path)
            self.path.chmod(0o600)
        self.thread = BlockingThread("test-sql")
        self.database = SqlDatabase(self.url, self.thread)

    def another(self) -> Database:
        return SqlDatabase(self.url, self.thread)

    def lose(self) -> None:
        self.database._engine.dispose()
        self.path.rename(self.path.with_suffix(".away"))
        self.path.mkdir()

    def restore(self) -> None:
        self.database._engine.dispose()
        self.path.rmdir()
        self.path.with_suffix(".away").rename(self.path)

    async def aclose(self) -> None:
        await self.database.aclose()
        await self.thread.aclose()


class PostgresWorld:
    """One database of this process's PostgreSQL. Taking it away throws everybody out and shuts the door."""

    def __init__(self) -> None:
        self.server = postgres_server()
        self.name = self.server.new_database(self.server.migrated())
        self.url = self.server.url(self.name)
        self.thread = BlockingThread("test-beside-postgres")
        self.database = self.another()

    def another(self, *, timeout_s: float = TIMEOUT_S) -> PostgresDatabase:
        opened = open_database(self.url, self.thread, connections_max=4, timeout_s=timeout_s)
        assert isinstance(opened, PostgresDatabase)
        return opened

    def lose(self) -> None:
        self.server.shut(self.name)

    def restore(self) -> None:
        self.server.open(self.name)

    async def aclose(self) -> None:
        await self.database.aclose()
        await self.thread.aclose()
        self.server.drop(self.name)
