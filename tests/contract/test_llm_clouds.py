"""Azure OpenAI and Vertex AI bound to the providers' suite, with keys and with tokens."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.providers.direct import DirectProviders
from adapters.providers.endpoint import ProviderEndpoint
from adapters.providers.families import FAMILIES
from adapters.providers.identities import Authenticators
from adapters.system.clock import SystemClock
from application.ports.llm import LlmProvider
from domain.catalog.offering import Offering
from domain.llm.capabilities import Capability
from domain.routing.target import Target
from tests.contract.test_llm_providers import DirectContract
from tests.identity.token_server import CLIENT, SECRET, TENANT, TokenServer, token_server


class CloudContract(DirectContract):
    """A cloud's addresses at the simulated provider; `below` is what follows the provider's segment."""

    below = ""
    options: Mapping[str, str] = MappingProxyType({})
    model_prefix = ""
    identity = ""

    @pytest.fixture
    async def tokens(self) -> AsyncIterator[TokenServer]:
        async with token_server() as tokens:
            yield tokens

    @pytest.fixture(autouse=True)
    def _identities(self, tokens: TokenServer, transport: StreamlinedTransport) -> None:
        self.identities = Authenticators(transport, SystemClock())
        self.values = {
            "entra_client_secret": {
                "tenant_id": TENANT,
                "client_id": CLIENT,
                "client_secret": SECRET,
                "authority_url": tokens.base_url,
            },
            "google_credentials": {"credentials_json": json.dumps(tokens.service_account())},
        }

    def _to(self, transport: StreamlinedTransport, base_url: str) -> LlmProvider:
        url = FAMILIES[self.wire].address(f"{base_url}/cloud{self.below}", self.options)
        assert url is not None
        prove = self.identities.of(self.identity, self.values[self.identity]) if self.identity else None
        endpoint = ProviderEndpoint(
            wire=self.wire,
            base_url=url,
            api_key=None if prove else "sim-key-123",
            options=self.options,
            authenticator=prove,
        )
        return DirectProviders(transport, SystemClock(), {"acme": endpoint})

    @pytest.fixture
    def target(self) -> Callable[[str], Target]:
        def target(model: str) -> Target:
            able = Capability.TEXT | (Capability.REASONING if "think" in model else Capability(0))
            name = self.model_prefix + model
            known = Offering(provider="acme", model=name, capabilities=able)
            return Target(index=0, id=known.id, provider="acme", model=name, offering=known, wire=self.wire)

        return target


class TestAzureDeployments(CloudContract):
    wire = "azure"
    below = "/openai"
    options = MappingProxyType({"api_version": "2024-10-21"})


class TestAzureWithoutVersionAndAnEntraToken(CloudContract):
    wire = "azure"
    below = "/openai/v1"
    identity = "entra_client_secret"


class TestFoundrysModelEndpoint(CloudContract):
    wire = "azure"
    below = "/models"


class TestGeminiAtVertex(CloudContract):
    wire = "vertex"
    options = MappingProxyType({"project": "p-1", "location": "europe-west4"})
    model_prefix = "gemini-"
    identity = "google_credentials"


class TestClaudeAtVertex(CloudContract):
    wire = "vertex"
    options = MappingProxyType({"project": "p-1", "location": "global"})
    model_prefix = "claude-"
    identity = "google_credentials"


class TestMistralAtVertex(CloudContract):
    wire = "vertex"
    options = MappingProxyType({"project": "p-1", "location": "eu"})
    model_prefix = "mistral-"
    identity = "google_credentials"


class TestOthersAtVertexsOpenAiEndpoint(CloudContract):
    wire = "vertex"
    options = MappingProxyType({"project": "p-1", "location": "us"})
    model_prefix = "meta/"
    identity = "google_credentials"
