"""The direct provider adapters, one per wire, against the simulated provider over real sockets."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.providers.direct import DirectProviders
from adapters.providers.endpoint import ProviderEndpoint
from adapters.system.clock import SystemClock
from adapters.wire.heads import DialectReader
from application.ports.llm import LlmProvider
from application.ports.wire import RequestReader
from contracts.ports.llm import LlmProviderContract
from domain.catalog.offering import Offering
from domain.catalog.tags import RESPONSES_ONLY_TAG, ResponsesSupport
from domain.llm.capabilities import Capability
from domain.routing.target import Target
from entrypoints.simulator.server import SimulatedProvider


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


class DirectBinding:
    """The holes of the providers' suites, filled for a direct provider."""

    wire = ""
    version_path = ""
    tags: frozenset[str] = frozenset()

    @pytest.fixture
    async def simulated(self) -> AsyncIterator[SimulatedProvider]:
        async with SimulatedProvider() as simulated:
            yield simulated

    @pytest.fixture
    async def transport(self) -> AsyncIterator[StreamlinedTransport]:
        transport = StreamlinedTransport()
        yield transport
        await transport.aclose()

    def _to(self, transport: StreamlinedTransport, base_url: str) -> LlmProvider:
        endpoint = ProviderEndpoint(
            wire=self.wire, base_url=base_url + self.version_path, api_key="sim-key-123"
        )
        return DirectProviders(transport, SystemClock(), {"acme": endpoint})

    @pytest.fixture
    def provider(self, transport: StreamlinedTransport, simulated: SimulatedProvider) -> LlmProvider:
        return self._to(transport, simulated.base_url)

    @pytest.fixture
    def unreachable_provider(self, transport: StreamlinedTransport) -> LlmProvider:
        return self._to(transport, "http://127.0.0.1:1")

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


class DirectContract(DirectBinding, LlmProviderContract):
    """The parts every direct binding with all abilities shares."""


class TestDirectOpenAi(DirectContract):
    wire = "openai"
    version_path = "/v1"


class TestDirectOpenAiWithResponses(TestDirectOpenAi):
    """Requests of the Responses API are not translated there."""

    tags = ResponsesSupport.NATIVE.tags


class TestDirectOpenAiResponsesOnly(TestDirectOpenAi):
    """Chats and messages are translated to the Responses API there."""

    tags = frozenset({RESPONSES_ONLY_TAG})


class TestDirectAnthropic(DirectContract):
    wire = "anthropic"


class TestDirectGemini(DirectContract):
    wire = "gemini"
