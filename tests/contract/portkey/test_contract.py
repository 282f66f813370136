"""The promises of every LlmProvider, kept through the real gateway to the simulated provider.

A case whose request Portkey would not pass on whole is skipped with the fields' names: the attempt loop
would not send it this way either.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.portkey.endpoint import PortkeyTarget
from adapters.portkey.gateway import PortkeyGateway
from adapters.system.clock import SystemClock
from adapters.wire.heads import DialectReader
from application.ports.llm import LlmProvider, UpstreamAnswer, UpstreamCall, UpstreamStream
from application.ports.wire import RequestReader
from contracts.ports.llm import LlmProviderContract
from domain.catalog.offering import Offering
from domain.catalog.tags import ResponsesSupport
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest
from domain.routing.target import Target
from entrypoints.simulator.server import SimulatedProvider

pytestmark = pytest.mark.portkey


class SimulatedUpstream:
    """The simulated provider as the contract scripts it."""

    def __init__(self, simulated: SimulatedProvider) -> None:
        self._simulated = simulated

    def fault(self, fault: dict[str, Any], *, times: int | None = None) -> object:
        return self._simulated.fault(fault, times=times)

    def heal(self) -> object:
        return self._simulated.heal()

    def asked(self) -> int:
        return int(self._simulated.stats["requests"])

    def client_disconnects(self) -> int:
        return int(self._simulated.stats["client_disconnects"])


class WhereNothingIsLost(LlmProvider):
    """Portkey for the requests that the attempt loop would send through it."""

    def __init__(self, portkey: PortkeyGateway) -> None:
        self._portkey = portkey

    def would_drop(self, request: LlmRequest, target: Target) -> tuple[str, ...]:
        return self._portkey.would_drop(request, target)

    def reaches(self, target: Target) -> bool:
        return self._portkey.reaches(target)

    async def complete(self, call: UpstreamCall) -> UpstreamAnswer:
        self._only_whole(call)
        return await self._portkey.complete(call)

    async def open_stream(self, call: UpstreamCall) -> UpstreamStream:
        self._only_whole(call)
        return await self._portkey.open_stream(call)

    def _only_whole(self, call: UpstreamCall) -> None:
        if lost := self.would_drop(call.request, call.target):
            pytest.skip(f"goes direct: Portkey would lose {', '.join(lost)}")


class PortkeyContract(LlmProviderContract):
    """The parts every binding shares."""

    slug = ""
    wire = ""
    version_path = "/v1"
    tags: frozenset[str] = frozenset()

    @pytest.fixture
    async def simulated(self) -> AsyncIterator[SimulatedProvider]:
        async with SimulatedProvider() as simulated:
            yield simulated

    def _to(self, transport: StreamlinedTransport, gateway_url: str, provider_url: str) -> LlmProvider:
        endpoint = PortkeyTarget(
            slug=self.slug, api_key="sim-key-123", custom_host=provider_url + self.version_path
        )
        return WhereNothingIsLost(PortkeyGateway(transport, SystemClock(), [gateway_url], {"acme": endpoint}))

    @pytest.fixture
    def provider(
        self, transport: StreamlinedTransport, gateway_url: str, simulated: SimulatedProvider
    ) -> LlmProvider:
        return self._to(transport, gateway_url, simulated.base_url)

    @pytest.fixture
    def unreachable_provider(self, transport: StreamlinedTransport, gateway_url: str) -> LlmProvider:
        return self._to(transport, gateway_url, "http://127.0.0.1:1")

    @pytest.fixture
    def upstream(self, simulated: SimulatedProvider) -> SimulatedUpstream:
        return SimulatedUpstream(simulated)

    @pytest.fixture
    def reader(self) -> RequestReader:
        return DialectReader()

    @pytest.fixture
    def target(self) -> Callable[[str], Target]:
        def target(model: str) -> Target:
            able = Capability.TEXT | (Capability.REASONING if "think" in model else Capability(0))
            known = Offering(provider="acme", model=model, capabilities=able)
            return Target(
                index=0,
                id=known.id,
                provider="acme",
                model=model,
                offering=known,
                wire=self.wire,
                tags=self.tags,
            )

        return target


class TestPortkeyOpenAi(PortkeyContract):
    slug = wire = "openai"


class TestPortkeyOpenAiWithResponses(TestPortkeyOpenAi):
    """Requests of the Responses API go as they are."""

    tags = ResponsesSupport.NATIVE.tags


class TestPortkeyAnthropic(PortkeyContract):
    slug = wire = "anthropic"


class TestPortkeyGoogle(PortkeyContract):
    slug = "google"
    wire = "gemini"
    version_path = ""
