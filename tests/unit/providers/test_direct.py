"""The direct adapter's own part: addresses, headers, timeouts, and how failures are named."""

import json
from typing import Any

import pytest

from adapters.memory.system import SteppingClock
from adapters.providers.direct import DirectProviders
from adapters.providers.endpoint import ProviderEndpoint
from application.ports.http import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
)
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
)
from domain.catalog.tags import CHAT_ONLY_TAG
from domain.errors import UpstreamError
from domain.llm.failures import Failure, FailureKind
from tests.unit.wire.calls import HELLO, call, target

CHAT_ANSWER = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
MESSAGE = b'{"type":"message","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"}'
GEMINI_ANSWER = b'{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}]}'


class ScriptedResponse(HttpResponse):
    def __init__(self, status: int, chunks: list[bytes | TransportFailed], content_type: str) -> None:
        self.status = status
        self.headers = [("content-type", content_type), ("request-id", "up_1")]
        self.closed = False
        self._chunks = chunks

    async def read(self) -> bytes:
        whole = b""
        while piece := await self.next_chunk():
            whole += piece
        return whole

    async def next_chunk(self) -> bytes:
        piece = self._chunks.pop(0) if self._chunks else b""
        if isinstance(piece, TransportFailed):
            raise piece
        return piece

    def close(self) -> None:
        self.closed = True


class ScriptedTransport(HttpTransport):
    """Answers everything with the same response, and remembers the requests."""

    def __init__(
        self, *chunks: bytes | TransportFailed, status: int = 200, content_type: str = "application/json"
    ) -> None:
        self.requests: list[HttpRequest] = []
        self.response = ScriptedResponse(status, list(chunks), content_type)
        self.refuses: TransportFailed | None = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        if self.refuses is not None:
            raise self.refuses
        return self.response

    async def aclose(self) -> None:
        pass


def provider(
    transport: HttpTransport, wire: str = "openai", base: str = "https://up.example/v1", **more: Any
) -> DirectProviders:
    endpoint = ProviderEndpoint(wire=wire, base_url=base, api_key="secret-key-1", **more)
    return DirectProviders(transport, SteppingClock(), {"acme": endpoint})


async def sent(asked: UpstreamCall, answer: bytes, **more: Any) -> HttpRequest:
    transport = ScriptedTransport(answer)
    await provider(transport, **more).complete(asked)
    return transport.requests[0]


async def failure_of(transport: ScriptedTransport, asked: UpstreamCall, **more: Any) -> Failure:
    with pytest.raises(UpstreamFailed) as caught:
        direct = provider(transport, **more)
        await (direct.open_stream(asked) if asked.request.stream else direct.complete(asked))
    return caught.value.failure


@pytest.mark.parametrize(
    ("wire", "base", "dialect", "answer", "path"),
    [
        ("openai", "https://up.example/v1", OPENAI_CHAT, CHAT_ANSWER, "/v1/chat/completions"),
        ("openai", "https://up.example/v1/", ANTHROPIC_MESSAGES, CHAT_ANSWER, "/v1/chat/completions"),
        ("openai", "https://up.example", OPENAI_CHAT, CHAT_ANSWER, "/chat/completions"),
        (
            "openai",
            "https://up.example/x?api-version=1",
            OPENAI_CHAT,
            CHAT_ANSWER,
            "/x/chat/completions?api-version=1",
        ),
        ("anthropic", "https://up.example", ANTHROPIC_MESSAGES, MESSAGE, "/v1/messages"),
        ("anthropic", "https://up.example/beta/v1", OPENAI_CHAT, MESSAGE, "/beta/v1/messages"),
        (
            "anthropic",
            "https://up.example",
            ANTHROPIC_COUNT_TOKENS,
            b'{"input_tokens":3}',
            "/v1/messages/count_tokens",
        ),
        ("gemini", "https://up.example", OPENAI_CHAT, GEMINI_ANSWER, "/v1beta/models/m:generateContent"),
        (
            "gemini",
            "https://up.example/v1beta",
            ANTHROPIC_MESSAGES,
            GEMINI_ANSWER,
            "/v1beta/models/m:generateContent",
        ),
    ],
)
async def test_each_dialect_has_its_path(
    wire: str, base: str, dialect: str, answer: bytes, path: str
) -> None:
    request = await sent(call(dialect), answer, wire=wire, base=base)
    assert request.path == path and request.method == "POST"
    assert request.endpoint == Endpoint("https", "up.example", 443)


async def test_a_gemini_stream_asks_for_events() -> None:
    transport = ScriptedTransport(content_type="text/event-stream")
    to = target("models/gemini/2 pro")
    await provider(transport, "gemini", "http://h:8080").open_stream(call(stream=True, to=to))
    assert transport.requests[0].path == "/v1beta/models/gemini%2F2%20pro:streamGenerateContent?alt=sse"
    assert transport.requests[0].endpoint == Endpoint("http", "h", 8080)


async def test_completions_and_embeddings_have_paths_of_their_own() -> None:
    asked = call(OPENAI_COMPLETIONS, {"model": "m", "prompt": "x"})
    assert (await sent(asked, b'{"choices":[{"text":"a"}]}')).path == "/v1/completions"
    chat_only = call(
        OPENAI_COMPLETIONS, {"model": "m", "prompt": "x"}, to=target(tags=frozenset({CHAT_ONLY_TAG}))
    )
    assert (await sent(chat_only, CHAT_ANSWER)).path == "/v1/chat/completions"
    vectors = call(OPENAI_EMBEDDINGS, {"model": "m", "input": "x"})
    assert (await sent(vectors, b'{"data":[]}')).path == "/v1/embeddings"
    request = await sent(vectors, b'{"embeddings":[{"values":[1]}]}', wire="gemini", base="https://g")
    assert request.path == "/v1beta/models/m:batchEmbedContents"


async def test_the_key_is_shown_the_way_each_provider_wants_it() -> None:
    assert ("authorization", "Bearer secret-key-1") in (await sent(call(), CHAT_ANSWER)).headers
    anthropic = dict((await sent(call(), MESSAGE, wire="anthropic", base="https://a")).headers)
    assert anthropic["x-api-key"] == "secret-key-1" and anthropic["anthropic-version"] == "2023-06-01"
    gemini = dict((await sent(call(), GEMINI_ANSWER, wire="gemini", base="https://g")).headers)
    assert gemini["x-goog-api-key"] == "secret-key-1" and "authorization" not in gemini


async def test_headers_of_the_operator_replace_ours() -> None:
    own = (("authorization", "Token t"), ("x-team", "a"))
    headers = (await sent(call(), CHAT_ANSWER, headers=own)).headers
    assert [value for name, value in headers if name == "authorization"] == ["Token t"]
    assert ("x-team", "a") in headers


async def test_vendor_headers_travel_only_within_the_family() -> None:
    asked = call(ANTHROPIC_MESSAGES)
    asked.request.headers = (
        ("anthropic-beta", "b"),
        ("anthropic-version", "2024-01-01"),
        ("x-api-key", "theirs"),
    )
    same = (await sent(asked, MESSAGE, wire="anthropic", base="https://a")).headers
    assert ("anthropic-beta", "b") in same and ("x-api-key", "secret-key-1") in same
    assert [value for name, value in same if name == "anthropic-version"] == ["2024-01-01"]
    assert not [name for name, value in same if value == "theirs"]
    other = (await sent(asked, CHAT_ANSWER)).headers
    assert not [name for name, _ in other if name.startswith("anthropic-")]


async def test_timeouts_reach_the_transport() -> None:
    unary = await sent(call(), CHAT_ANSWER)
    assert (unary.connect_timeout_s, unary.headers_timeout_s, unary.total_timeout_s) == (5.0, None, 600.0)
    transport = ScriptedTransport(content_type="text/event-stream")
    await provider(transport).open_stream(call(stream=True))
    assert transport.requests[0].headers_timeout_s == 30.0
    assert transport.requests[0].body_idle_timeout_s == 120.0


async def test_the_providers_request_id_comes_back_with_its_answer() -> None:
    answer = await provider(ScriptedTransport(CHAT_ANSWER)).complete(call())
    assert answer.headers == (("request-id", "up_1"),) and answer.dropped == ()


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        (TransportStage.REFUSED, FailureKind.NETWORK),
        (TransportStage.CONNECT, FailureKind.NETWORK),
        (TransportStage.SEND, FailureKind.NETWORK),
        (TransportStage.BODY, FailureKind.NETWORK),
        (TransportStage.HEADERS_TIMEOUT, FailureKind.TIMEOUT),
        (TransportStage.BODY_TIMEOUT, FailureKind.TIMEOUT),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_every_stage_of_the_transport_has_a_kind(
    stage: TransportStage, kind: FailureKind, stream: bool
) -> None:
    transport = ScriptedTransport()
    transport.refuses = TransportFailed(stage, "gone")
    failure = await failure_of(transport, call(stream=stream))
    assert failure.kind is kind and "gone" in failure.message


async def test_what_our_own_rules_refuse_is_no_failure_of_a_network_and_not_repeated() -> None:
    transport = ScriptedTransport()
    transport.refuses = TransportFailed(TransportStage.REFUSED, "not allowed", by_rule=True)
    failure = await failure_of(transport, call())
    assert failure.kind is FailureKind.EGRESS_REFUSED
    assert not failure.sent and not failure.disposition.retry_same and failure.disposition.try_next
    assert UpstreamError(failure, attempts=1).code == "egress_refused"


async def test_a_body_that_breaks_is_the_transports_failure() -> None:
    broken = TransportFailed(TransportStage.BODY, "cut")
    assert (await failure_of(ScriptedTransport(b"{", broken), call())).kind is FailureKind.NETWORK
    stream = await provider(ScriptedTransport(broken, content_type="text/event-stream")).open_stream(
        call(stream=True)
    )
    with pytest.raises(UpstreamFailed):
        await stream.next_block()
    assert await stream.next_block() is None


async def test_a_json_document_in_place_of_a_stream_is_no_stream() -> None:
    error = b'{"error":{"message":"busy","code":"overloaded_error"}}'
    assert (await failure_of(ScriptedTransport(error), call(stream=True))).kind is FailureKind.OVERLOADED
    assert (
        await failure_of(ScriptedTransport(CHAT_ANSWER), call(stream=True))
    ).kind is FailureKind.BAD_RESPONSE


async def test_the_operators_key_never_shows_in_a_failure() -> None:
    transport = ScriptedTransport(b'{"error":{"message":"wrong key secret-key-1"}}', status=401)
    failure = await failure_of(transport, call())
    assert failure.kind is FailureKind.AUTH
    assert "secret-key-1" not in failure.message and b"secret-key-1" not in (failure.body or b"")


async def test_blocks_skip_reads_that_complete_nothing() -> None:
    frame = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
    transport = ScriptedTransport(frame[:9], frame[9:], content_type="text/event-stream")
    stream = await provider(transport).open_stream(call(stream=True))
    block = await stream.next_block()
    assert block is not None and block.raw == frame
    stream.close()
    assert transport.response.closed and await stream.next_block() is None


async def test_what_a_provider_cannot_answer_lets_the_next_one_try() -> None:
    asked = call(ANTHROPIC_COUNT_TOKENS)
    failure = await failure_of(ScriptedTransport(), asked)
    assert failure.kind is FailureKind.MODEL_MISSING and failure.disposition.try_next
    stranger = UpstreamCall(asked.request, target(provider="other"), asked.timeouts, 1.0)
    assert (await failure_of(ScriptedTransport(), stranger)).kind is FailureKind.MODEL_MISSING


def test_drops_are_known_before_a_call_is_made() -> None:
    asked = call(seed=1).request
    assert provider(ScriptedTransport()).would_drop(asked, target()) == ()
    assert provider(ScriptedTransport(), "anthropic").would_drop(asked, target()) == ("seed",)
    assert provider(ScriptedTransport()).would_drop(asked, target(provider="other")) == ()


def test_only_configured_providers_are_reached() -> None:
    direct = provider(ScriptedTransport())
    assert direct.reaches(target()) and not direct.reaches(target(provider="other"))


@pytest.mark.parametrize("url", ["ftp://x", "up.example/v1", "http://", "http://user:pw@host/v1"])
def test_a_base_url_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="base URL") as caught:
        provider(ScriptedTransport(), base=url)
    assert "pw" not in str(caught.value)


def test_an_unknown_wire_is_refused_and_a_key_never_printed() -> None:
    with pytest.raises(ValueError, match="allowed: openai"):
        ProviderEndpoint(wire="smoke", base_url="http://h")
    assert "secret" not in repr(ProviderEndpoint(wire="openai", base_url="http://h", api_key="secret"))


async def test_what_was_dropped_comes_with_the_answer() -> None:
    transport = ScriptedTransport(MESSAGE)
    answer = await provider(transport, "anthropic", "https://a").complete(call(seed=1, messages=HELLO))
    assert answer.dropped == ("seed",)
    assert json.loads(answer.body)["object"] == "chat.completion"
