"""A real SQLite database for suites, which can be taken away and given back."""

from pathlib import Path

from adapters.sql.database import SqlDatabase
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import upgrade


class SqlWorld:
    """One database file in a folder of its own. Taking it away puts a folder in its place."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "interchange.db"
        self.url = f"sqlite:///{self.path}"
        upgrade(self.url)
        self.thread = BlockingThread("test-sql")
        self.database = SqlDatabase(self.url, self.thread)

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
