"""The drivers of Oracle and SQL Server themselves, as far as they go without a server: reaching out, TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest
import trustme
import uvloop

from adapters.databases.configuration import read_configuration
from adapters.databases.kind import SERVED
from application.ports.connector import Surroundings
from application.ports.database_engine import Engine
from contracts.ports.database_engine import ALL_PEOPLE, PLENTY
from domain.errors import IntegrationUnavailable, InvalidConfiguration
from domain.vault.secret import SecretBytes
from tests.contract.mysql_world import WRONG, AnyAddress


def _engine(endpoint: str, **more: Any) -> Engine:
    configuration = read_configuration(
        {"endpoint": endpoint, "authentication": {"type": "password", "username": "agent"}, **more}
    )
    nothing: Any = None
    surroundings = Surroundings(nothing, AnyAddress(), {"password": SecretBytes(WRONG.encode())})
    module = import_module(SERVED[configuration.place.scheme].module)
    made: Engine = module.open_engine(configuration, surroundings)
    return made


class Listener:
    """Speaks TLS and nothing else. `greeted` counts handshakes that went well."""

    def __init__(self, authority: trustme.CA, name: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self._context)
        self.greeted = self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Listener"]:
        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.greeted += 1
            await reader.read(10)
            writer.close()

        server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self


@pytest.mark.parametrize(
    "endpoint", ["oracle://localhost:1/svc", "mssql://localhost:1/db", "sqlserver://localhost:1"]
)
async def test_where_nobody_listens_it_is_told(endpoint: str) -> None:
    engine = _engine(endpoint)

    with pytest.raises(IntegrationUnavailable) as refused:
        await engine.read(ALL_PEOPLE, PLENTY)

    # Where the driver lacks libraries of the system, nobody can be asked, and that is told instead.
    assert "localhost:1" in refused.value.message or "does not load here" in refused.value.message
    assert WRONG not in refused.value.message
    assert engine.figures().open == 0
    await engine.aclose()


async def _asked(issued_for: str, authority: trustme.CA, trusted: trustme.CA) -> tuple[str, int]:
    async with Listener(authority, issued_for).listening() as listener:
        pem = trusted.cert_pem.bytes().decode()
        engine = _engine(
            f"oracle://db.example.com:{listener.port}/svc", tls={"mode": "verify-full", "ca_pem": pem}
        )
        try:
            await engine.read(ALL_PEOPLE, PLENTY)
        except IntegrationUnavailable as error:
            return error.message, listener.greeted
        finally:
            await engine.aclose()
    raise AssertionError("there is no database")


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_oracles_driver_checks_the_name_and_not_the_address(run: Any) -> None:
    authority, other = trustme.CA(), trustme.CA()

    message, greeted = run(_asked("db.example.com", authority, authority))
    assert greeted == 1 and "certificate" not in message.lower()

    for issued_for, trusted in (
        ("other.example.com", authority),
        ("127.0.0.1", authority),
        ("db.example.com", other),
    ):
        message, greeted = run(_asked(issued_for, authority, trusted))
        assert greeted == 0 and "certificate" in message.lower(), issued_for


def test_a_service_and_an_authority_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidConfiguration):
        _engine("oracle://localhost:1/")
    with pytest.raises(InvalidConfiguration):
        _engine("oracle://localhost/svc", tls={"mode": "verify-full", "ca_pem": "nonsense"})
    with pytest.raises(InvalidConfiguration):
        _engine("mssql://localhost/db", tls={"ca_pem": "nonsense"})
    with pytest.raises(InvalidConfiguration):
        _engine("mysql://localhost/db", tls={"mode": "verify-full", "ca_pem": "nonsense"})
