"""Requests for what providers keep: where they go, what they carry, how failures are named."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.memory.system import SteppingClock
from adapters.providers.authentication import Authenticator
from adapters.providers.endpoint import ProviderEndpoint
from adapters.providers.resources import DirectResources
from application.ports.http import BodySource, HttpRequest, TransportFailed, TransportStage
from application.ports.llm import UpstreamFailed
from application.ports.resources import ResourceRequest
from domain.llm.failures import FailureKind
from tests.unit.providers.test_direct import ScriptedTransport


def resources(
    transport: ScriptedTransport, wire: str = "openai", base: str = "https://up.example/v1", **more: Any
) -> DirectResources:
    endpoint = ProviderEndpoint(
        wire=wire, base_url=base, api_key="secret-key-1", keys={"second": "secret-key-2"}, **more
    )
    return DirectResources(transport, SteppingClock(), {"acme": endpoint})


async def sent(request: ResourceRequest, **more: Any) -> HttpRequest:
    transport = ScriptedTransport(b"{}")
    await resources(transport, **more).fetch(request)
    return transport.requests[0]


async def test_a_path_goes_below_the_base_with_its_query() -> None:
    went = await sent(ResourceRequest("acme", "GET", "/responses/resp_1", query=(("after", "a b"),)))

    assert (went.method, went.path) == ("GET", "/v1/responses/resp_1?after=a+b")
    assert dict(went.headers)["authorization"] == "Bearer secret-key-1"
    assert "content-type" not in dict(went.headers)


async def test_a_version_in_the_path_is_not_doubled() -> None:
    went = await sent(
        ResourceRequest("acme", "GET", "/v1/messages/batches"), wire="anthropic", base="https://up.example/v1"
    )

    assert went.path == "/v1/messages/batches"
    assert dict(went.headers)["x-api-key"] == "secret-key-1"
    assert "anthropic-version" in dict(went.headers)


async def test_a_named_key_proves_its_own_account() -> None:
    went = await sent(ResourceRequest("acme", "GET", "/files", "second"))

    assert dict(went.headers)["authorization"] == "Bearer secret-key-2"


async def test_the_callers_headers_travel_but_no_credential_of_theirs() -> None:
    went = await sent(
        ResourceRequest(
            "acme", "GET", "/files", headers=(("openai-beta", "x"), ("authorization", "Bearer theirs"))
        )
    )

    assert dict(went.headers)["openai-beta"] == "x"
    assert [value for name, value in went.headers if name == "authorization"] == ["Bearer secret-key-1"]


async def test_a_body_too_large_for_memory_is_handed_on_as_its_source() -> None:
    class Pieces(BodySource):
        size_bytes = 3

        async def chunks(self) -> AsyncIterator[bytes]:
            yield b"abc"

    source = Pieces()
    went = await sent(ResourceRequest("acme", "POST", "/files", body=source, content_type="text/plain"))

    assert went.source is source
    assert dict(went.headers)["content-type"] == "text/plain"


async def test_an_authenticator_signs_in_place_of_a_key() -> None:
    class Signer(Authenticator):
        async def sign(self, request: HttpRequest, credential: str) -> HttpRequest:
            return request._replace(headers=(*request.headers, ("x-proof", credential or "none")))

    went = await sent(ResourceRequest("acme", "GET", "/files", "second"), authenticator=Signer())

    assert dict(went.headers)["x-proof"] == "second"
    assert "authorization" not in dict(went.headers)


async def test_an_error_answer_is_an_answer_without_secrets() -> None:
    body = json.dumps({"error": {"message": "no file for secret-key-1", "code": "nope"}}).encode()
    transport = ScriptedTransport(body, status=404)

    answer = await resources(transport).fetch(ResourceRequest("acme", "GET", "/files/f"))

    assert answer.status == 404
    assert b"secret-key-1" not in answer.body
    assert b"no file for" in answer.body
    assert answer.failure is not None
    assert answer.content_type == "application/json"


async def test_a_stream_of_an_error_is_its_body_once() -> None:
    stream = await resources(ScriptedTransport(b'{"error":{}}', status=429)).open(
        ResourceRequest("acme", "GET", "/responses/r")
    )

    assert stream.failure is not None and stream.failure.kind is FailureKind.RATE_LIMIT
    assert [await stream.next_chunk(), await stream.next_chunk()] == [b'{"error":{}}', b""]
    stream.close()


async def test_a_stream_comes_as_it_comes_and_a_cut_is_typed() -> None:
    cut = TransportFailed(TransportStage.BODY, "cut")
    stream = await resources(ScriptedTransport(b"one", cut)).open(ResourceRequest("acme", "GET", "/files/f"))

    assert await stream.next_chunk() == b"one"
    with pytest.raises(UpstreamFailed) as failed:
        await stream.next_chunk()
    assert failed.value.failure.kind is FailureKind.NETWORK


async def test_what_was_not_sent_says_so() -> None:
    transport = ScriptedTransport()
    transport.refuses = TransportFailed(TransportStage.CONNECT, "nobody there")
    unreachable = resources(transport)

    with pytest.raises(UpstreamFailed) as failed:
        await unreachable.fetch(ResourceRequest("acme", "GET", "/files"))
    assert not failed.value.failure.sent
    with pytest.raises(UpstreamFailed) as unknown:
        await unreachable.fetch(ResourceRequest("nobody", "GET", "/files"))
    assert not unknown.value.failure.sent
    assert unreachable.reaches("acme") and not unreachable.reaches("nobody")


async def test_the_operators_headers_are_not_the_callers_to_change() -> None:
    callers = (("x-gateway-auth", "theirs"), ("x-wish", "1"))

    went = await sent(
        ResourceRequest("acme", "GET", "/files", headers=callers), headers=(("x-gateway-auth", "ours"),)
    )

    assert [value for name, value in went.headers if name == "x-gateway-auth"] == ["ours"]
    assert dict(went.headers)["x-wish"] == "1"


def test_proofs_in_the_operators_headers_and_address_are_secrets() -> None:
    endpoint = ProviderEndpoint(
        wire="openai",
        base_url="http://acme.test/v1?api-version=2030-01-01&code=of-the-url-7&sig=1",
        headers=(("x-gateway-auth", "Bearer of-the-operator-9"), ("x-tier", "golden-one")),
    )

    assert endpoint.secrets == ("of-the-operator-9", "of-the-url-7")


async def test_a_refusals_headers_do_not_repeat_a_key() -> None:
    transport = ScriptedTransport(b"{}", status=400)
    transport.response.headers = [("x-seen", "secret-key-1"), ("x-kept", "1")]

    answer = await resources(transport).fetch(ResourceRequest("acme", "GET", "/files"))

    assert answer.headers == (("x-seen", "[redacted]"), ("x-kept", "1"))
