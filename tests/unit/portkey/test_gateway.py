"""The adapter without a gateway: a scripted transport stands in for both."""

import json
from datetime import UTC, datetime

import pytest

from adapters.portkey.endpoint import GatewayAddress, PortkeyTarget
from adapters.portkey.gateway import BROKEN_PAUSE_S, REFUSED_PAUSE_S, PortkeyGateway
from adapters.portkey.gateways import COOL_DOWN_FIRST_S, COOL_DOWN_MAX_S, GatewayPool
from application.ports.http import (
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
)
from application.ports.llm import UpstreamFailed
from application.ports.system import Clock
from application.ports.wire import ANTHROPIC_COUNT_TOKENS, ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain.llm.failures import FailureKind
from tests.contract.portkey.calls import HELLO, call_to, endpoints_at, failure_of, target_at
from tests.contract.portkey.recording import CHAT_ANSWER

CHAT = json.dumps(CHAT_ANSWER).encode()
A, B = "http://10.0.0.1:8787", "http://10.0.0.2:8787/v1"


class ManualClock(Clock):
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def utc_now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


class ScriptedResponse(HttpResponse):
    def __init__(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
        self.status = status
        self.headers = [("content-type", "application/json"), *headers]
        self._body = body

    async def read(self) -> bytes:
        return self._body

    async def next_chunk(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        self._body = b""


class ScriptedTransport(HttpTransport):
    """Answers every request alike; hosts in `dead` refuse the connection."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.dead: set[str] = set()
        self.stage = TransportStage.CONNECT
        self.status = 200
        self.body = CHAT
        self.headers: list[tuple[str, str]] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        if request.endpoint.host in self.dead:
            raise TransportFailed(self.stage, "connection refused")
        return ScriptedResponse(self.status, self.body, self.headers)

    async def aclose(self) -> None:
        return None

    @property
    def hosts(self) -> list[str]:
        return [request.endpoint.host for request in self.requests]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def transport() -> ScriptedTransport:
    return ScriptedTransport()


@pytest.fixture
def portkey(transport: ScriptedTransport, clock: ManualClock) -> PortkeyGateway:
    return PortkeyGateway(transport, clock, [A, B], endpoints_at("http://provider.example/v1"))


async def test_calls_go_round_the_gateways_that_answer(
    portkey: PortkeyGateway, transport: ScriptedTransport
) -> None:
    for _ in range(4):
        await portkey.complete(call_to("openai"))
    assert transport.hosts == ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2"]
    assert {request.path for request in transport.requests} == {"/v1/chat/completions"}


async def test_a_gateway_that_refuses_connections_is_left_alone_and_never_asked_twice_for_one_call(
    portkey: PortkeyGateway, transport: ScriptedTransport, clock: ManualClock
) -> None:
    transport.dead = {"10.0.0.1"}
    failure = await failure_of(portkey, call_to("openai"))
    assert (failure.at_gateway, failure.sent) == (True, False)
    assert transport.hosts == ["10.0.0.1"]
    await portkey.complete(call_to("openai"))
    await portkey.complete(call_to("openai"))
    assert transport.hosts[1:] == ["10.0.0.2", "10.0.0.2"]
    transport.dead.clear()
    clock.now += COOL_DOWN_FIRST_S
    await portkey.complete(call_to("openai"))
    await portkey.complete(call_to("openai"))
    assert sorted(transport.hosts[3:]) == ["10.0.0.1", "10.0.0.2"]
    assert all(health.up and health.last_error is None for health in portkey.health())


async def test_with_every_gateway_down_nothing_is_reached_and_nothing_is_sent(
    portkey: PortkeyGateway, transport: ScriptedTransport
) -> None:
    transport.dead = {"10.0.0.1", "10.0.0.2"}
    assert portkey.reaches(target_at("openai"))
    await failure_of(portkey, call_to("openai"))
    await failure_of(portkey, call_to("openai"))
    assert not portkey.reaches(target_at("openai"))
    failure = await failure_of(portkey, call_to("openai"))
    assert (failure.kind, failure.at_gateway, failure.sent) == (FailureKind.NETWORK, True, False)
    assert len(transport.requests) == 2


async def test_a_probe_brings_a_restored_gateway_back_at_once(
    portkey: PortkeyGateway, transport: ScriptedTransport
) -> None:
    transport.dead = {"10.0.0.1", "10.0.0.2"}
    await portkey.probe()
    assert not portkey.reaches(target_at("openai"))
    assert [health.last_error for health in portkey.health()] == ["connection refused"] * 2
    transport.dead.clear()
    await portkey.probe()
    assert portkey.reaches(target_at("openai"))
    assert {request.path for request in transport.requests} == {"/"}


async def test_the_silence_of_a_call_may_be_its_providers_so_only_a_probe_condemns_the_gateway(
    portkey: PortkeyGateway, transport: ScriptedTransport
) -> None:
    transport.dead, transport.stage = {"10.0.0.1"}, TransportStage.HEADERS_TIMEOUT
    failure = await failure_of(portkey, call_to("openai"))
    assert (failure.kind, failure.at_gateway) == (FailureKind.TIMEOUT, False)
    assert [health.up for health in portkey.health()] == [True, True]
    await portkey.probe()
    assert [health.up for health in portkey.health()] == [False, True]


async def test_no_gateway_configured_reaches_nothing(
    transport: ScriptedTransport, clock: ManualClock
) -> None:
    portkey = PortkeyGateway(transport, clock, [], endpoints_at("http://provider.example/v1"))
    assert not portkey.reaches(target_at("openai"))
    assert portkey.health() == ()
    portkey.set_gateways([A])
    assert portkey.reaches(target_at("openai"))


def test_a_bad_url_changes_nothing(portkey: PortkeyGateway) -> None:
    with pytest.raises(ValueError, match="Portkey gateway"):
        portkey.set_gateways(["not a url"])
    assert len(portkey.health()) == 2


def test_a_provider_portkey_does_not_know_is_not_reached(portkey: PortkeyGateway) -> None:
    portkey.set_endpoints({"own": PortkeyTarget(slug="no-such-slug")})
    assert not portkey.reaches(target_at("own"))
    assert not portkey.reaches(target_at("openai"))


@pytest.mark.parametrize(
    ("status", "headers", "pause_s"),
    [(400, [], REFUSED_PAUSE_S), (500, [("x-portkey-gateway-exception", "true")], BROKEN_PAUSE_S)],
)
async def test_what_the_gateway_could_not_do_for_a_target_is_not_asked_again_for_a_while(
    portkey: PortkeyGateway,
    transport: ScriptedTransport,
    clock: ManualClock,
    status: int,
    headers: list[tuple[str, str]],
    pause_s: float,
) -> None:
    transport.status, transport.headers = status, headers
    transport.body = b'{"status":"failure","message":"Something went wrong"}'
    failure = await failure_of(portkey, call_to("openai"))
    assert failure.at_gateway
    assert not portkey.reaches(target_at("openai"))
    assert portkey.reaches(target_at("groq"))
    clock.now += pause_s
    assert portkey.reaches(target_at("openai"))


async def test_a_providers_error_says_nothing_about_the_gateway(
    portkey: PortkeyGateway, transport: ScriptedTransport
) -> None:
    transport.status, transport.body = 500, b'{"error":{"message":"openai error: x"},"provider":"openai"}'
    failure = await failure_of(portkey, call_to("openai"))
    assert (failure.kind, failure.at_gateway) == (FailureKind.SERVER_ERROR, False)
    assert portkey.reaches(target_at("openai"))


@pytest.mark.parametrize(
    ("provider", "dialect", "path"),
    [
        ("anthropic", ANTHROPIC_MESSAGES, "/v1/messages"),
        ("openai", ANTHROPIC_MESSAGES, "/v1/chat/completions"),
        ("anthropic", OPENAI_CHAT, "/v1/chat/completions"),
        ("anthropic", ANTHROPIC_COUNT_TOKENS, "/v1/messages/count_tokens"),
    ],
)
async def test_each_dialect_takes_the_route_that_translates_least(
    portkey: PortkeyGateway, transport: ScriptedTransport, provider: str, dialect: str, path: str
) -> None:
    try:
        await portkey.complete(call_to(provider, dialect, **HELLO))
    except UpstreamFailed as error:
        # The scripted answer is in OpenAI's shape; the request is what counts here.
        assert error.failure.kind is FailureKind.BAD_RESPONSE
    assert transport.requests[-1].path == path


def test_fields_lost_behind_a_translation_are_named_too(portkey: PortkeyGateway) -> None:
    call = call_to("openai", ANTHROPIC_MESSAGES, top_k=5, **HELLO)
    assert "top_k" in portkey.would_drop(call.request, call.target)
    native = call_to("anthropic", ANTHROPIC_MESSAGES, top_k=5, **HELLO)
    assert portkey.would_drop(native.request, native.target) == ()


def test_a_field_whose_answer_is_lost_counts_as_lost(portkey: PortkeyGateway) -> None:
    wanted = {"tools": [{"type": "function", "function": {"name": "f"}}], **HELLO}
    for provider, lost in (("deepseek", ("tools",)), ("together-ai", ("tools",)), ("openai", ())):
        call = call_to(provider, **wanted)
        assert portkey.would_drop(call.request, call.target) == lost
    thinking = call_to("anthropic", thinking={"type": "enabled", "budget_tokens": 1024}, **HELLO)
    assert portkey.would_drop(thinking.request, thinking.target) == ("thinking",)


def test_tools_count_as_lost_where_only_a_stream_may_lose_their_calls(portkey: PortkeyGateway) -> None:
    wanted = {"tools": [{"type": "function", "function": {"name": "f"}}], **HELLO}
    for stream, lost in ((False, ()), (True, ("tools",))):
        call = call_to("google", stream=stream, **wanted)
        assert portkey.would_drop(call.request, call.target) == lost


async def test_a_streams_headers_may_come_with_its_first_token(
    portkey: PortkeyGateway, transport: ScriptedTransport
) -> None:
    """A gateway without our preload sends them only then; the provider is still kept to the shorter bound."""
    call = call_to("openai", total_timeout_s=200.0, stream=True, **HELLO)
    with pytest.raises(UpstreamFailed, match="one JSON document"):
        await portkey.open_stream(call)
    request = transport.requests[-1]
    assert dict(request.headers)["x-portkey-request-timeout"] == "29950"
    assert (request.headers_timeout_s, request.total_timeout_s) == (120.0, 200.0)


async def test_the_gateway_is_told_a_shorter_time_than_we_wait(
    portkey: PortkeyGateway, transport: ScriptedTransport
) -> None:
    await portkey.complete(call_to("openai", total_timeout_s=2.0))
    request = transport.requests[-1]
    assert dict(request.headers)["x-portkey-request-timeout"] == "1950"
    assert (request.connect_timeout_s, request.headers_timeout_s, request.total_timeout_s) == (2.0, 2.0, 2.0)


async def test_hosted_portkey_gets_its_key_and_a_self_hosted_gateway_does_not(
    transport: ScriptedTransport, clock: ManualClock
) -> None:
    portkey = PortkeyGateway(
        transport,
        clock,
        ["https://api.portkey.ai/v1", A],
        endpoints_at("http://provider.example/v1"),
        portkey_api_key="pk-1",
    )
    await portkey.complete(call_to("openai"))
    await portkey.complete(call_to("openai"))
    keys = [dict(request.headers).get("x-portkey-api-key") for request in transport.requests]
    assert keys == ["pk-1", None]
    assert transport.requests[0].endpoint.port == 443


def test_the_pause_after_failures_doubles_up_to_a_limit() -> None:
    pool = GatewayPool([GatewayAddress(url=A)])
    (gateway,) = pool.all()
    now, pauses = 0.0, []
    for _ in range(8):
        pool.unreachable(gateway, now, "refused")
        pauses.append(gateway.down_until - now)
        now = gateway.down_until
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == COOL_DOWN_MAX_S


def test_gateways_that_stay_keep_what_is_known_of_them() -> None:
    pool = GatewayPool([GatewayAddress(url=A), GatewayAddress(url=B)])
    pool.unreachable(pool.all()[0], 0.0, "refused")
    pool.replace([GatewayAddress(url=A), GatewayAddress(url=A)])
    assert [health.up for health in pool.health(0.5)] == [False]
    assert pool.pick(0.5) is None
    assert pool.pick(1.0) is pool.all()[0]
