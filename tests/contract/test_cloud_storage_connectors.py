"""The suite of connectors on Azure and Google Cloud Storage, from their configurations on."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from adapters.http.transport import StreamlinedTransport
from adapters.storage.kind import StorageKind
from application.ports.connector import Connector, Surroundings
from contracts.ports.connector import ConnectorContract, ConnectorWorld
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import ToolCall
from domain.errors import EgressRefused
from domain.vault.secret import SecretBytes
from tests.contract.gcs_fake import GcsFake
from tests.contract.gcs_fake_signatures import Asked
from tests.contract.gcs_world import fake_gcs, key_file

NOWHERE = "http://127.0.0.1:9"


async def anywhere(host: str, port: int) -> Sequence[str]:
    return [host]


async def nowhere(host: str, port: int) -> Sequence[str]:
    raise EgressRefused(f"connections to {host}:{port} are not allowed here")


class CloudWorld(ConnectorWorld):
    """What both have in common: `hang` is a key whose reading takes for ever."""

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self._left = asyncio.Event()
        self._begun = asyncio.Event()

    async def hang(self) -> None:
        self._left.clear()
        self._begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._left.set()

    def opened(
        self, configuration: Mapping[str, Any], secrets: Mapping[str, bytes], *, allowed: bool = True
    ) -> Connector:
        kind = StorageKind()
        kind.validate(configuration)
        assert kind.secret_fields(configuration) == secrets.keys()
        transport = StreamlinedTransport() if allowed else StreamlinedTransport(allow=lambda *_: False)
        integration = Integration(
            tenant_id="acme",
            integration_id="files",
            kind=IntegrationKind.STORAGE,
            configuration=configuration,
        )
        surroundings = Surroundings(
            transport=transport,
            guard=anywhere if allowed else nowhere,
            secrets={name: SecretBytes(value) for name, value in secrets.items()},
        )
        connector = kind.open(integration, surroundings)
        self.stack.push_async_callback(transport.aclose)
        self.stack.push_async_callback(connector.aclose)
        return connector

    def good(self, connector: Connector) -> ToolCall:
        return self._get(connector, "a")

    def endless(self, connector: Connector) -> ToolCall:
        return self._get(connector, "hang")

    def _get(self, connector: Connector, key: str) -> ToolCall:
        return ToolCall(
            tenant_id="acme",
            integration_id="files",
            tool=next(each for each in connector.tools if each.name == "get_object"),
            parameters={"key": key},
            timeout_s=60.0,
            request_id="req",
        )

    async def begun(self) -> None:
        await self._begun.wait()

    async def idle(self) -> None:
        await self._left.wait()


class GcsWorld(CloudWorld):
    secrets = (key_file().reveal().decode(), "PRIVATE KEY")

    def __init__(self, fake: GcsFake) -> None:
        super().__init__()
        self.fake = fake
        fake.make_bucket("bucket")
        fake.keep("bucket", "team-a/a", b"content", {"contentType": "text/plain"})
        fake.script = self._script

    async def _script(self, asked: Asked) -> web.Response | None:
        if asked.path.endswith("hang"):
            await self.hang()
        return None

    def _open(self, url: str, key: str = "right", *, allowed: bool = True) -> Connector:
        configuration = {
            "endpoint": "gs://bucket/team-a",
            "authentication": {"type": "service_account"},
            "service_url": url,
            "token_url": f"{url}/token",
        }
        return self.opened(configuration, {"key": key_file(key).reveal()}, allowed=allowed)

    def connector(self) -> Connector:
        return self._open(self.fake.url)

    def unauthorised(self) -> Connector:
        return self._open(self.fake.url, "wrong")

    def unreachable(self) -> Connector:
        return self._open(NOWHERE)

    def forbidden(self) -> Connector:
        return self._open(self.fake.url, allowed=False)


PAGE = b'<?xml version="1.0"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>'


class AzureWorld(CloudWorld):
    secret = base64.b64encode(b"not-to-be-seen-anywhere").decode()
    secrets = (secret, "not-to-be-seen")

    def __init__(self) -> None:
        super().__init__()
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        self.stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _handle(self, request: web.Request) -> web.Response:
        if not request.headers.get("authorization", "").startswith("SharedKey account:"):
            return web.Response(status=403, headers={"x-ms-error-code": "AuthenticationFailed"})
        if request.query.get("comp") == "list":
            return web.Response(body=PAGE, content_type="application/xml")
        if request.path.endswith("hang"):
            await self.hang()
        about = {"etag": '"0x1"', "last-modified": "Sat, 21 Nov 2026 16:00:00 GMT"}
        about |= {"content-range": "bytes 0-6/7", "x-ms-blob-type": "BlockBlob"}
        return web.Response(status=206, body=b"content", content_type="text/plain", headers=about)

    def _open(self, url: str, account: str = "account", *, allowed: bool = True) -> Connector:
        configuration = {
            "endpoint": "azure://container/team-a",
            "authentication": {"type": "account_key"},
            "account": account,
            "service_url": url,
        }
        return self.opened(configuration, {"account_key": self.secret.encode()}, allowed=allowed)

    def connector(self) -> Connector:
        return self._open(self.url)

    def unauthorised(self) -> Connector:
        return self._open(self.url, "other")

    def unreachable(self) -> Connector:
        return self._open(NOWHERE)

    def forbidden(self) -> Connector:
        return self._open(self.url, allowed=False)


class TestGcsConnector(ConnectorContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ConnectorWorld]:
        async with fake_gcs() as fake:
            world = GcsWorld(fake)
            async with world.stack:
                yield world


class TestAzureConnector(ConnectorContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ConnectorWorld]:
        world = AzureWorld()
        async with world.stack:
            await world.start()
            yield world
