"""Which way requests of the Responses API take to a provider, and what a server without it teaches."""

import pytest

from adapters.wire.missing_path import is_missing_path
from application.ports.llm import UpstreamFailed
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_COMPLETIONS, OPENAI_RESPONSES
from domain.catalog.tags import CHAT_ONLY_TAG, RESPONSES_ONLY_TAG, RESPONSES_TAG, ResponsesSupport
from domain.llm.failures import Failure, FailureKind
from domain.routing.target import Target
from tests.unit.providers.test_direct import CHAT_ANSWER, ScriptedTransport, provider
from tests.unit.wire.calls import call, target

RESPONSE = b'{"id":"r","status":"completed","model":"m","output":[],"usage":null}'
ASKED = {"model": "m", "input": "hi"}


def tagged(*tags: str) -> Target:
    return target(tags=frozenset(tags))


async def path_of(dialect: str, to: Target, answer: bytes = RESPONSE, wire: str = "openai") -> str:
    transport = ScriptedTransport(answer)
    body = ASKED if dialect == OPENAI_RESPONSES else None
    if dialect == OPENAI_COMPLETIONS:
        body = {"model": "m", "prompt": "hi"}
    await provider(transport, wire).complete(call(dialect, body, to=to))
    return transport.requests[0].path


async def test_a_provider_with_the_endpoint_is_asked_there() -> None:
    assert await path_of(OPENAI_RESPONSES, tagged(RESPONSES_TAG)) == "/v1/responses"


async def test_a_provider_without_it_is_asked_in_chat() -> None:
    assert await path_of(OPENAI_RESPONSES, tagged(), CHAT_ANSWER) == "/v1/chat/completions"


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC_MESSAGES, OPENAI_COMPLETIONS, OPENAI_RESPONSES])
async def test_a_model_that_is_only_there_is_always_asked_there(dialect: str) -> None:
    assert await path_of(dialect, tagged(RESPONSES_ONLY_TAG, CHAT_ONLY_TAG)) == "/v1/responses"


async def test_chats_stay_chats_where_both_are_offered() -> None:
    assert await path_of(OPENAI_CHAT, tagged(RESPONSES_TAG), CHAT_ANSWER) == "/v1/chat/completions"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b'{"detail":"Not Found"}'),
        (404, b"404 page not found"),
        (404, b'{"error":{"message":"Invalid URL (POST /v1/responses)","type":"invalid_request_error"}}'),
        (405, b'{"detail":"Method Not Allowed"}'),
        (501, b""),
    ],
)
async def test_a_server_without_the_endpoint_is_asked_in_chat_from_then_on(
    status: int, body: bytes, stream: bool
) -> None:
    transport = ScriptedTransport(body, status=status)
    direct = provider(transport)
    asked = call(OPENAI_RESPONSES, {**ASKED, "stream": stream}, to=tagged(RESPONSES_TAG))
    with pytest.raises(UpstreamFailed) as caught:
        await (direct.open_stream(asked) if stream else direct.complete(asked))
    assert caught.value.failure.at_gateway, "the way failed, not the target"
    transport.response = ScriptedTransport(CHAT_ANSWER).response
    await direct.complete(call(OPENAI_RESPONSES, ASKED, to=tagged(RESPONSES_TAG)))
    assert transport.requests[-1].path == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", None),
        ("The requested model 'x' does not exist.", "model_not_found"),
    ],
)
def test_what_is_missing_behind_the_endpoint_is_not_the_endpoint(message: str, code: str | None) -> None:
    failure = Failure(kind=FailureKind.MODEL_MISSING, message=message, status=404, code=code)
    assert not is_missing_path(failure)


def test_other_errors_say_nothing_about_the_endpoint() -> None:
    assert not is_missing_path(Failure(kind=FailureKind.SERVER_ERROR, message="not found", status=500))


def test_support_is_told_by_tags() -> None:
    assert RESPONSES_TAG in ResponsesSupport.NATIVE.tags & ResponsesSupport.STATELESS.tags
    assert not ResponsesSupport.TRANSLATED.tags
