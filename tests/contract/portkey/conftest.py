"""One real gateway for the session, a recording provider per test, and the adapter between them."""

from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.portkey.gateway import PortkeyGateway
from adapters.system.clock import SystemClock
from entrypoints.jobs.gateway_process import GatewayProcess
from tests.conftest import missing
from tests.contract.portkey.calls import endpoints_at
from tests.contract.portkey.recording import RecordingServer, recording_server
from tests.contract.portkey.running import running_gateway


@pytest.fixture(scope="session")
def gateway_process() -> Iterator[GatewayProcess]:
    with running_gateway() as gateway:
        if isinstance(gateway, str):
            missing(f"the Portkey gateway ({gateway})")
            return
        yield gateway


@pytest.fixture
def gateway_url(gateway_process: GatewayProcess) -> str:
    url = gateway_process.url
    assert url is not None
    return url


@pytest.fixture
async def provider() -> AsyncIterator[RecordingServer]:
    async with recording_server() as server:
        yield server


@pytest.fixture
async def transport() -> AsyncIterator[StreamlinedTransport]:
    transport = StreamlinedTransport()
    yield transport
    await transport.aclose()


@pytest.fixture
def portkey(gateway_url: str, provider: RecordingServer, transport: StreamlinedTransport) -> PortkeyGateway:
    return PortkeyGateway(transport, SystemClock(), [gateway_url], endpoints_at(provider.url))
