"""PostgreSQL reached over TCP, with passwords: as a connector sees one.

The server of the wheel speaks no TLS, so a front of ours does that for it.
"""

import asyncio
import socket
import ssl
import subprocess
from functools import cache
from typing import Any, Final, Self

import trustme

from adapters.databases.configuration import DatabaseConfiguration, read_configuration
from adapters.databases.postgres import PostgresEngine, open_engine
from application.ports.connector import Surroundings
from domain.vault.secret import SecretBytes
from tests.contract.postgres_server import SETTINGS, PostgresServer, postgres_server

PASSWORD: Final = "correct-horse-battery"
WRONG: Final = "staple-of-no-battery"
TLS_NAME: Final = "db.example.com"
HBA: Final = """
local all all trust
host all plain 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""
ROLES: Final = f"""
CREATE ROLE agent LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE other LOGIN PASSWORD '{PASSWORD}';
GRANT other TO agent;
CREATE ROLE plain LOGIN;
CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}';
GRANT pg_read_server_files TO reader;
CREATE ROLE boss LOGIN SUPERUSER PASSWORD '{PASSWORD}';
"""
PEOPLE: Final = """
CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL);
COMMENT ON TABLE people IS 'Who there is';
COMMENT ON COLUMN people.name IS 'As they say it';
INSERT INTO people VALUES (1, 'Ada'), (2, 'Grace'), (3, 'Zoë 🧾');
GRANT SELECT, INSERT, UPDATE, DELETE ON people TO agent, other, reader, plain;
CREATE VIEW adults AS SELECT * FROM people;
GRANT SELECT ON adults TO agent;
CREATE TABLE hidden (secret text);
CREATE SEQUENCE tickets;
GRANT USAGE ON SEQUENCE tickets TO agent;
"""


class NetworkPostgres(PostgresServer):
    """Listens on loopback."""

    def __init__(self) -> None:
        postgres_server()  # skips where there is none
        super().__init__(SETTINGS)
        self.port = _free_port()
        self._people: str | None = None
        (self.directory / "pg_hba.conf").write_text(HBA)
        with (self.directory / "postgresql.conf").open("a") as file:
            file.write("password_encryption = 'scram-sha-256'\n")
        options = f"-h 127.0.0.1 -p {self.port} -k {self.directory}"
        self._control("restart", "-m", "fast", "-l", str(self.directory / "log"), "-o", options)
        self.run(*(line for line in ROLES.strip().splitlines()))

    def url(self, database: str) -> str:
        port = getattr(self, "port", 5432)
        return f"postgresql://postgres@/{database}?host={self.directory}&port={port}"

    def run_in(self, database: str, script: str) -> str:
        """A script of an administrator in one database."""
        command = [self._server.bin_path / "psql", "-qAt", "-v", "ON_ERROR_STOP=1", self.url(database)]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout

    def new_people(self) -> str:
        """A new database with people in it, a copy of one that nobody connects to any more."""
        if self._people is None:
            name = self.new_database()
            self.run_in(name, PEOPLE)
            self._people = name
        return self.new_database(self._people)

    async def running(self, marker: str) -> int:
        """How many statements with these words in them the server works on."""
        found = await asyncio.to_thread(
            self.run,
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
            f"AND query LIKE '%{marker}%'",
        )
        return int(found)


@cache
def network_postgres() -> NetworkPostgres:
    """This process's own; skips, or fails where everything is required, without the wheel."""
    return NetworkPostgres()


class TlsFront:
    """Does TLS for a server that cannot, with a certificate for one name; notes what it was asked for."""

    def __init__(self, behind: int, name: str) -> None:
        authority = trustme.CA()
        self.ca_pem = authority.cert_pem.bytes().decode()
        self.names: list[str | None] = []
        self._behind = behind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self._context)
        self._context.sni_callback = lambda _socket, asked, _context: self.names.append(asked)
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(8)  # the wish for TLS
            writer.write(b"S")
            await writer.start_tls(self._context)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        for source, target in ((reader, inner_writer), (inner_reader, writer)):
            pump = asyncio.create_task(_pumped(source, target))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)


async def _pumped(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    except OSError:
        pass  # either side may hang up whenever it likes
    finally:
        target.close()


class Loopback:
    """A guard that sends every name to this machine, and notes what it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses or ("127.0.0.1",)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> tuple[str, ...]:
        self.asked.append((host, port))
        return self.addresses


def surroundings(password: str = PASSWORD, guard: Any = None) -> Surroundings:
    nothing: Any = None
    return Surroundings(
        transport=nothing, guard=guard or Loopback(), secrets={"password": SecretBytes(password.encode())}
    )


def configuration(server: NetworkPostgres, database: str, **more: Any) -> DatabaseConfiguration:
    said: dict[str, Any] = {
        "endpoint": f"postgresql://127.0.0.1:{server.port}/{database}",
        "authentication": {"type": "password", "username": more.pop("username", "agent")},
        "pool": {"max": 2},
    }
    return read_configuration(said | more)


def engine(server: NetworkPostgres, database: str, **more: Any) -> PostgresEngine:
    """As `agent`, with two connections, unless it is said otherwise."""
    password, guard = more.pop("password", PASSWORD), more.pop("guard", None)
    return open_engine(configuration(server, database, **more), surroundings(password, guard))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
