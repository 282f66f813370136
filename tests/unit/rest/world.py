"""A REST connector against a server of our own: what it is asked is seen, what it answers is written here."""

import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from adapters.http.tls import TlsContexts
from adapters.http.transport import StreamlinedTransport
from adapters.rest.connector import RestConnector
from adapters.rest.kind import RestConnectors
from adapters.system.clock import SystemClock
from application.ports.connector import Connector, KeepSecret, Surroundings
from application.ports.http import HttpTransport
from application.ports.system import Clock
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import ToolCall
from domain.vault.secret import SecretBytes
from tests.faults.scripted_server import ReceivedRequest, ScriptedPeer, ScriptedServer

TOKEN = "tok-0123456789-secret"


class Reply(NamedTuple):
    """What the server answers."""

    body: Any = None
    status: str = "200 OK"
    headers: Mapping[str, str] = {}
    raw: bytes | None = None


Answering = Callable[[ReceivedRequest], Reply]


def script(answering: Answering) -> Callable[[ScriptedPeer], Any]:
    async def serve(peer: ScriptedPeer) -> None:
        while True:
            reply = answering(await peer.request(wait_s=60))
            body = reply.raw if reply.raw is not None else json.dumps(reply.body).encode()
            headers = dict(reply.headers)
            if not any(name.lower() == "content-type" for name in headers):
                headers["Content-Type"] = "application/json"
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            await peer.answer(body, status=reply.status, headers=lines)

    return serve


async def refused_address(host: str, port: int) -> Sequence[str]:
    raise AssertionError("REST goes out through the transport alone")


def opened(
    configuration: Mapping[str, Any],
    *,
    secrets: Mapping[str, str] | None = None,
    transport: HttpTransport,
    clock: Clock | None = None,
    draw: float = 0.5,
    keep: KeepSecret | None = None,
) -> RestConnector:
    """As the composition opens one."""
    kind = RestConnectors(clock or SystemClock(), draw=lambda: draw)
    kind.validate(configuration)
    integration = Integration(
        tenant_id="t",
        integration_id="api",
        kind=IntegrationKind.API,
        configuration=configuration,
    )
    sealed = {name: SecretBytes(text.encode()) for name, text in (secrets or {}).items()}
    connector = kind.open(integration, Surroundings(transport, refused_address, sealed, None, keep))
    assert isinstance(connector, RestConnector)
    return connector


def call(
    connector: Connector, name: str, /, *, timeout_s: float = 5.0, key: str = "", **parameters: Any
) -> ToolCall:
    [tool] = [each for each in connector.tools if each.name == name]
    return ToolCall(
        tenant_id="t",
        integration_id="api",
        tool=tool,
        parameters=parameters,
        timeout_s=timeout_s,
        request_id="req_1",
        idempotency_key=key,
    )


class Api:
    """A server and connectors to it."""

    def __init__(self, server: ScriptedServer, transport: StreamlinedTransport) -> None:
        self.server = server
        self.transport = transport

    @property
    def url(self) -> str:
        endpoint = self.server.endpoint
        return f"{endpoint.scheme}://{endpoint.host}:{endpoint.port}"

    @property
    def asked(self) -> list[ReceivedRequest]:
        return self.server.requests

    def open(
        self, tools: Mapping[str, Any], *, secrets: Mapping[str, str] | None = None, **configuration: Any
    ) -> RestConnector:
        return opened(
            {"endpoint": self.url, "tools": tools, **configuration},
            secrets=secrets,
            transport=self.transport,
        )


@asynccontextmanager
async def api(
    answering: Answering, *, tls: TlsContexts | None = None, server_tls: ssl.SSLContext | None = None
) -> AsyncIterator[Api]:
    transport = StreamlinedTransport(tls=tls)
    async with ScriptedServer(script(answering), tls=server_tls) as serving:
        try:
            yield Api(serving, transport)
        finally:
            await transport.aclose()


def bearer(**more: Any) -> dict[str, Any]:
    """Configuration and secrets of the usual kind."""
    return {"authentication": {"type": "bearer"}, "secrets": {"token": TOKEN}, **more}
