"""A limit of ours stands in every provider's body under the name it heeds, and nothing else changes."""

import msgspec
import pytest

from adapters.wire.codec import EncodedRequest
from adapters.wire.forced_limit import encoded, under_forwarded_name
from adapters.wire.heads import DialectReader
from adapters.wire.registry import codec_for
from application.ports.llm import UpstreamCall
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_RESPONSES,
)
from domain.budgets.output_limit import with_max_output
from domain.catalog.offering import Offering
from domain.catalog.tags import MAX_COMPLETION_TOKENS_TAG, MAX_TOKENS_TAG
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest
from domain.routing.target import Target
from domain.time import Timeouts

CHAT = b'{"model":"m","messages":[{"role":"user","content":"hi"}]%s}'
BODIES = {
    OPENAI_CHAT: CHAT % b"",
    OPENAI_COMPLETIONS: b'{"model":"m","prompt":"hi"}',
    OPENAI_RESPONSES: b'{"model":"m","input":"hi"}',
    ANTHROPIC_MESSAGES: b'{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"hi"}]}',
    GEMINI_GENERATE: b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}',
}
AT_PROVIDER = {
    OPENAI_CHAT: lambda body: body.get("max_tokens") or body.get("max_completion_tokens"),
    OPENAI_RESPONSES: lambda body: body["max_output_tokens"],
    ANTHROPIC_MESSAGES: lambda body: body["max_tokens"],
    GEMINI_GENERATE: lambda body: body["generationConfig"]["maxOutputTokens"],
    "bedrock.converse": lambda body: body["inferenceConfig"]["maxTokens"],
    "cohere.chat": lambda body: body["max_tokens"],
}


def target(*, tags: frozenset[str] = frozenset(), able: Capability = Capability.TEXT) -> Target:
    offering = Offering(provider="p", model="m", capabilities=able, tags=tags)
    return Target(index=0, id="p/m", provider="p", model="m", offering=offering, wire="openai")


def read(dialect: str, body: bytes) -> LlmRequest:
    request = DialectReader().read(dialect, body)
    request.model = "m"
    return request


def sent(request: LlmRequest, upstream: str, to: Target | None = None) -> dict[str, object]:
    call = UpstreamCall(request, to or target(), Timeouts(), 60.0, "req_1")
    body: dict[str, object] = msgspec.json.decode(encoded(codec_for(request.dialect, upstream), call).body)
    return body


@pytest.mark.parametrize("upstream", AT_PROVIDER)
@pytest.mark.parametrize("dialect", BODIES)
def test_the_limit_reaches_every_provider_whatever_the_caller_speaks(dialect: str, upstream: str) -> None:
    limited = with_max_output(read(dialect, BODIES[dialect]), 321)

    assert AT_PROVIDER[upstream](sent(limited, upstream)) == 321


def test_completions_are_limited_where_completions_are_spoken() -> None:
    limited = with_max_output(read(OPENAI_COMPLETIONS, BODIES[OPENAI_COMPLETIONS]), 321)

    assert sent(limited, OPENAI_COMPLETIONS) == {"model": "m", "prompt": "hi", "max_tokens": 321}


@pytest.mark.parametrize(
    ("to", "name"),
    [
        (target(), "max_tokens"),
        (target(able=Capability.TEXT | Capability.REASONING), "max_completion_tokens"),
        (target(tags=frozenset({MAX_COMPLETION_TOKENS_TAG})), "max_completion_tokens"),
        (target(tags=frozenset({MAX_TOKENS_TAG}), able=Capability.REASONING), "max_tokens"),
    ],
)
def test_a_chat_gets_the_limit_under_the_name_its_server_heeds(to: Target, name: str) -> None:
    limited = with_max_output(read(OPENAI_CHAT, CHAT % b',"max_tokens":9,"max_completion_tokens":10'), 7)

    body = sent(limited, OPENAI_CHAT, to)

    assert {field: body.get(field) for field in ("max_tokens", "max_completion_tokens")} == {
        "max_tokens": None,
        "max_completion_tokens": None,
        name: 7,
    }


def test_a_callers_name_for_the_limit_is_kept() -> None:
    limited = with_max_output(read(OPENAI_CHAT, CHAT % b',"max_completion_tokens":10'), 7)

    assert sent(limited, OPENAI_CHAT)["max_completion_tokens"] == 7


def test_the_larger_of_two_limits_counts_for_the_bound() -> None:
    request = read(OPENAI_CHAT, CHAT % b',"max_tokens":9,"max_completion_tokens":10')

    assert request.max_output_tokens == 10


@pytest.mark.parametrize(
    ("more", "limit"),
    [
        (b'"generationConfig":{"maxOutputTokens":5},"generation_config":{"max_output_tokens":9}', 9),
        (b'"generationConfig":{"maxOutputTokens":5},"generation_config":{"topK":1}', None),
        (b'"generationConfig":{"maxOutputTokens":5,"max_output_tokens":7}', 7),
    ],
)
def test_a_limit_that_another_spelling_may_undo_counts_for_nothing(more: bytes, limit: int | None) -> None:
    body = b'{"contents":[{"parts":[{"text":"hi"}]}],%b}' % more

    assert read(GEMINI_GENERATE, body).max_output_tokens == limit


def test_other_fields_of_a_configuration_stay_beside_the_limit() -> None:
    body = b'{"contents":[{"parts":[{"text":"hi"}]}],"generation_config":{"max_output_tokens":5,"topK":3}}'
    limited = with_max_output(read(GEMINI_GENERATE, body), 4)

    assert sent(limited, GEMINI_GENERATE)["generation_config"] == {"topK": 3, "maxOutputTokens": 4}


def test_without_a_limit_of_ours_the_body_keeps_its_bytes() -> None:
    request = read(OPENAI_CHAT, BODIES[OPENAI_CHAT])
    call = UpstreamCall(request, target(), Timeouts(), 60.0)

    assert encoded(codec_for(OPENAI_CHAT, OPENAI_CHAT), call).body is request.body


def test_a_gateway_that_forwards_the_older_name_alone_gets_that_one() -> None:
    body = EncodedRequest(b'{"model":"m","max_completion_tokens":7}')

    assert under_forwarded_name(body, {"model", "max_tokens"}).body == b'{"model":"m","max_tokens":7}'
    assert under_forwarded_name(body, {"max_tokens", "max_completion_tokens"}) is body
