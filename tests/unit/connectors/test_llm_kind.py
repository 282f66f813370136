"""Looking at a provider of models: where it is asked, with which key, and what its answers mean."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.providers.llm_kind import LlmPlace, LlmProviders
from application.ports.connector import Connector, Surroundings
from application.ports.http import HttpRequest, HttpResponse, HttpTransport, TransportFailed, TransportStage
from domain.connectors.integration import Integration, IntegrationKind
from domain.errors import EgressRefused, IntegrationUnavailable, InvalidConfiguration
from domain.vault.secret import SecretBytes

KEY = "a-key-0123456789"


class Answer(HttpResponse):
    def __init__(self, status: int) -> None:
        self.status = status
        self.headers = []
        self.closed = False

    async def read(self) -> bytes:
        raise AssertionError("its body is nobody's business")

    async def next_chunk(self) -> bytes:
        raise AssertionError("its body is nobody's business")

    def close(self) -> None:
        self.closed = True


class OneAnswer(HttpTransport):
    """Answers with a status, or fails."""

    def __init__(self, outcome: int | TransportFailed) -> None:
        self.outcome = outcome
        self.asked: list[HttpRequest] = []
        self.given: list[Answer] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request)
        if isinstance(self.outcome, TransportFailed):
            raise self.outcome
        self.given.append(Answer(self.outcome))
        return self.given[-1]

    async def aclose(self) -> None:
        """Nothing is open."""


async def no_addresses(host: str, port: int) -> list[str]:
    raise AssertionError(f"nobody connects to {host}:{port} but the transport")


def opened(
    transport: HttpTransport, wire: str = "openai", endpoint: str = "https://llm.example/v1", key: str = KEY
) -> Connector:
    def read(_configuration: Mapping[str, Any]) -> LlmPlace:
        return LlmPlace(wire, bool(key), {})

    integration = Integration(
        tenant_id="acme",
        integration_id="mine",
        kind=IntegrationKind.LLM_PROVIDER,
        configuration={"endpoint": endpoint, "authentication": {"type": "api_key"}},
    )
    secrets = {"api_key": SecretBytes(key.encode())} if key else {}
    return LlmProviders(read).open(integration, Surroundings(transport, no_addresses, secrets))


@pytest.mark.parametrize(
    ("wire", "endpoint", "path", "header"),
    [
        ("openai", "https://llm.example/v1", "/v1/models", ("authorization", f"Bearer {KEY}")),
        ("openai", "https://llm.example/v1/?team=a", "/v1/models?team=a", ("authorization", f"Bearer {KEY}")),
        ("anthropic", "https://llm.example", "/v1/models", ("x-api-key", KEY)),
        ("anthropic", "https://llm.example/v1", "/v1/models", ("x-api-key", KEY)),
        ("gemini", "https://llm.example", "/v1beta/models", ("x-goog-api-key", KEY)),
    ],
)
async def test_it_asks_for_the_models_as_the_wire_does(
    wire: str, endpoint: str, path: str, header: tuple[str, str]
) -> None:
    transport = OneAnswer(200)

    facts = await opened(transport, wire, endpoint).check()

    [asked] = transport.asked
    assert (asked.method, asked.endpoint.host, asked.path) == ("GET", "llm.example", path)
    assert header in asked.headers
    assert facts == {"status": 200, "lists_models": True}
    assert all(answer.closed for answer in transport.given)


@pytest.mark.parametrize("status", [404, 405, 429])
async def test_a_server_that_lists_no_models_has_answered_all_the_same(status: int) -> None:
    assert await opened(OneAnswer(status)).check() == {"status": status, "lists_models": False}


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_a_refused_key_and_a_broken_server_are_unavailable(status: int) -> None:
    with pytest.raises(IntegrationUnavailable) as refused:
        await opened(OneAnswer(status)).check()

    assert KEY not in str(refused.value)


async def test_what_our_rules_forbid_is_told_apart_from_what_is_away() -> None:
    forbidden = TransportFailed(TransportStage.REFUSED, "not allowed", by_rule=True)
    away = TransportFailed(TransportStage.CONNECT, "connection refused")

    with pytest.raises(EgressRefused):
        await opened(OneAnswer(forbidden)).check()
    with pytest.raises(IntegrationUnavailable):
        await opened(OneAnswer(away)).check()


@pytest.mark.parametrize("key", ["a\nb", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        opened(OneAnswer(200), key=key)

    assert refused.value.param == "authentication.api_key"
    assert key not in str(refused.value)


async def test_it_has_no_tools() -> None:
    connector = opened(OneAnswer(200))

    assert connector.tools == ()
    assert await connector.discover() is False
