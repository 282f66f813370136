"""MariaDB from the distribution: one server per test process, started when the first test asks for it.

It listens on loopback, keeps its files in a folder of its own, speaks TLS with a certificate made for it, and
ends with the process that started it, however that ends.
"""

import atexit
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

import pymysql
import trustme

from tests.conftest import missing

START_S: Final = 90.0
_SCRIPTS: Final = Path("/usr/share/mysql")
_SYSTEM: Final = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
_SMALL: Final = ("--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--performance-schema=OFF")
_PR_SET_PDEATHSIG: Final = 1


def find_mariadbd() -> Path | None:
    found = shutil.which("mariadbd") or shutil.which("/usr/sbin/mariadbd")
    return None if found is None else Path(found)


class MariaDbServer:
    """`root` without a password for tests; whoever else there is, tests make."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self.directory = Path(tempfile.mkdtemp(prefix="mdb-"))
        self.authority = trustme.CA()
        self._make_files()
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self.start()
        atexit.register(self.remove)

    def start(self) -> None:
        """Returns when it answers."""
        folder = self.directory
        options = [
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--innodb-flush-log-at-trx-commit=0",
            "--max-connections=60",
            "--default-time-zone=+05:30",
            *(f"--ssl-{name}={folder / name}.pem" for name in ("ca", "cert", "key")),
        ]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(), *options], stdout=log, stderr=log, preexec_fn=_end_with_parent
            )
        self._wait()

    def stop(self) -> None:
        """Every connection breaks at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(timeout=START_S)

    def remove(self) -> None:
        """Ends it, and everything in it goes. Idempotent."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    @contextlib.contextmanager
    def connected(self, database: str | None = None) -> "Iterator[pymysql.cursors.Cursor]":
        """As `root`."""
        connection = pymysql.connect(
            unix_socket=str(self.directory / "s"), user="root", database=database, autocommit=True
        )
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def run(self, *statements: str, database: str | None = None) -> Sequence[Sequence[Any]]:
        """Rows of the last one."""
        with self.connected(database) as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def new_name(self) -> str:
        return f"test_{os.getpid()}_{next(self._numbers)}"

    def _command(self) -> list[str]:
        # It refuses to be root unless it is told so.
        user = ["--user=root"] if os.getuid() == 0 else []
        data = self.directory / "data"
        socket_ = self.directory / "s"
        return [
            str(self._program),
            "--no-defaults",
            *user,
            f"--datadir={data}",
            f"--socket={socket_}",
            *_SMALL,
        ]

    def _make_files(self) -> None:
        (self.directory / "data").mkdir()
        issued = self.authority.issue_cert("localhost", "db.example.com")
        self.authority.cert_pem.write_to_path(str(self.directory / "ca.pem"))
        issued.private_key_pem.write_to_path(str(self.directory / "key.pem"))
        for number, pem in enumerate(issued.cert_chain_pems):
            pem.write_to_path(str(self.directory / "cert.pem"), append=number > 0)
        script = (
            "create database mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\n"
        )
        script += "".join((_SCRIPTS / name).read_text() for name in _SYSTEM)
        subprocess.run(
            [*self._command(), "--bootstrap", "--skip-networking"],
            input=script.encode(),
            capture_output=True,
            check=True,
            timeout=START_S,
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(pymysql.Error):
                self.run("SELECT 1")
                return
            time.sleep(0.05)
        raise RuntimeError(f"MariaDB did not start: {(self.directory / 'log').read_text()[-2000:]}")


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@cache
def _server() -> MariaDbServer:
    program = find_mariadbd()
    assert program is not None
    return MariaDbServer(program)


def mariadb_server() -> MariaDbServer:
    """This process's server. Skips, or fails where everything is required, where it is not installed."""
    if find_mariadbd() is None or not (_SCRIPTS / _SYSTEM[0]).exists():
        missing("MariaDB (mariadb-server-core)")
    return _server()
