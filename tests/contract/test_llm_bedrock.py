"""Bedrock's Converse bound to the providers' suite: signed with keys, and with a Bedrock API key."""

from collections.abc import Callable

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.providers.direct import DirectProviders
from adapters.providers.endpoint import ProviderEndpoint
from adapters.providers.identities import Authenticators
from adapters.system.clock import SystemClock
from application.ports.llm import LlmProvider
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain.catalog.offering import Offering
from domain.llm.capabilities import Capability
from domain.routing.target import Target
from tests.contract.test_llm_providers import DirectContract

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class BedrockContract(DirectContract):
    """Callers of both chat dialects; other dialects come through the same pivot."""

    wire = "bedrock"
    model_prefix = "us.anthropic.claude-"
    signed = True

    @pytest.fixture(params=[OPENAI_CHAT, ANTHROPIC_MESSAGES])
    def dialect(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def _to(self, transport: StreamlinedTransport, base_url: str) -> LlmProvider:
        values = {"region": "us-east-1", "access_key_id": KEY_ID, "secret_access_key": SECRET}
        prove = Authenticators(transport, SystemClock()).of("aws", values) if self.signed else None
        endpoint = ProviderEndpoint(
            wire="bedrock",
            base_url=f"{base_url}/cloud",
            api_key=None if prove else "sim-key-123",
            options={"region": "us-east-1"},
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


class TestBedrockWithSignatures(BedrockContract):
    """Inference profiles by their ARN, whose slash and colons are encoded and signed as sent."""

    model_prefix = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-"


class TestBedrockWithAnApiKey(BedrockContract):
    signed = False
