"""Both transports keep the port's promises; the one on the hot path on both event loops."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme
import uvloop

from adapters.http.aiohttp_transport import AiohttpTransport
from adapters.http.proxy import OutboundProxy
from adapters.http.transport import StreamlinedTransport
from application.ports.http import HttpTransport
from contracts.ports.http import HttpTransportContract, Serve
from contracts.ports.http_faults import HttpTransportFaultContract
from contracts.ports.http_reach import Authority, HttpReachContract, OpenProxy, OpenTransport
from contracts.ports.http_uploads import HttpUploadContract
from tests.faults.scripted_server import ScriptedServer


class TestAuthority(Authority):
    """A CA made for the run."""

    __test__ = False

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def server(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(host).configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._ca.configure_trust(context)
        return context


@pytest.fixture(scope="module")
def authority() -> Authority:
    return TestAuthority()


class Bound:
    @pytest.fixture
    def serve(self) -> Serve:
        return ScriptedServer

    @pytest.fixture
    def open_proxy(self) -> OpenProxy:
        return lambda host, port, authorization: OutboundProxy(
            host=host, port=port, authorization=authorization
        )

    @pytest.fixture
    def authority(self, authority: Authority) -> Authority:
        return authority


@pytest.mark.filterwarnings(
    "ignore:Overriding the .event_loop_policy. fixture:pytest.PytestDeprecationWarning"
)
class OnUvloop:
    @pytest.fixture(scope="class")
    @classmethod
    def event_loop_policy(cls) -> asyncio.AbstractEventLoopPolicy:
        policy: asyncio.AbstractEventLoopPolicy = uvloop.EventLoopPolicy()
        return policy

    async def test_this_is_uvloop(self) -> None:
        assert isinstance(asyncio.get_running_loop(), uvloop.Loop)


class Streamlined(Bound):
    @pytest.fixture
    async def open_transport(self) -> AsyncIterator[OpenTransport]:
        opened: list[StreamlinedTransport] = []

        def open_one(**settings: object) -> StreamlinedTransport:
            opened.append(StreamlinedTransport(**settings))  # type: ignore[arg-type]
            return opened[-1]

        yield open_one
        for transport in opened:
            await transport.aclose()
            assert transport.stats == (0, 0, 0), "a connection leaked"

    @pytest.fixture
    def transport(self, open_transport: OpenTransport) -> HttpTransport:
        return open_transport()


class Aiohttp(Bound):
    @pytest.fixture
    async def open_transport(self) -> AsyncIterator[OpenTransport]:
        opened: list[AiohttpTransport] = []

        def open_one(**settings: object) -> AiohttpTransport:
            opened.append(AiohttpTransport(**settings))  # type: ignore[arg-type]
            return opened[-1]

        yield open_one
        for transport in opened:
            await transport.aclose()

    @pytest.fixture
    def transport(self, open_transport: OpenTransport) -> HttpTransport:
        return open_transport()


class TestStreamlinedTransport(Streamlined, HttpTransportContract):
    pass


class TestStreamlinedTransportFaults(Streamlined, HttpTransportFaultContract):
    pass


class TestStreamlinedTransportReach(Streamlined, HttpReachContract):
    pass


class TestStreamlinedTransportOnUvloop(OnUvloop, Streamlined, HttpTransportContract):
    pass


class TestStreamlinedTransportFaultsOnUvloop(OnUvloop, Streamlined, HttpTransportFaultContract):
    pass


class TestStreamlinedTransportReachOnUvloop(OnUvloop, Streamlined, HttpReachContract):
    pass


class TestAiohttpTransport(Aiohttp, HttpTransportContract):
    pass


class TestAiohttpTransportFaults(Aiohttp, HttpTransportFaultContract):
    pass


class TestAiohttpTransportReach(Aiohttp, HttpReachContract):
    pass


class TestStreamlinedTransportUploads(Streamlined, HttpUploadContract):
    pass


class TestAiohttpTransportUploads(Aiohttp, HttpUploadContract):
    pass


class TestStreamlinedTransportUploadsOnUvloop(OnUvloop, Streamlined, HttpUploadContract):
    pass
