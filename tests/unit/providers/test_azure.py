"""Azure OpenAI: addresses, proofs, what the content filter says, errors."""

import json

import pytest

from adapters.providers.families import FAMILIES
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
)
from domain.llm.failures import FailureKind
from domain.llm.stream import Delta, Opened
from tests.unit.providers.test_direct import (
    CHAT_ANSWER,
    ScriptedTransport,
    failure_of,
    provider,
    sent,
)
from tests.unit.wire.calls import call, target

RESOURCE = "https://res.openai.azure.com"


@pytest.mark.parametrize(
    ("given", "options", "base"),
    [
        (RESOURCE, {}, f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/", {}, f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai", {}, f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai/v1/", {}, f"{RESOURCE}/openai/v1"),
        (RESOURCE, {"api_version": "2024-10-21"}, f"{RESOURCE}/openai"),
        (f"{RESOURCE}?api-version=x", {}, f"{RESOURCE}/openai?api-version=x"),
        ("https://r.services.ai.azure.com/models", {}, "https://r.services.ai.azure.com/models"),
        ("https://proxy.example/azure/openai/v1", {}, "https://proxy.example/azure/openai/v1"),
        ("https://proxy.example/azure", {"api_version": "v"}, "https://proxy.example/azure/openai"),
        (f"{RESOURCE}/openai/deployments/d", {"api_version": "v"}, f"{RESOURCE}/openai"),
    ],
)
def test_a_resources_address_is_completed(given: str, options: dict[str, str], base: str) -> None:
    assert FAMILIES["azure"].address(given, options) == base


@pytest.mark.parametrize(
    ("base", "options", "dialect", "path"),
    [
        (f"{RESOURCE}/openai/v1", {}, OPENAI_CHAT, "/openai/v1/chat/completions"),
        (f"{RESOURCE}/openai/v1", {}, ANTHROPIC_MESSAGES, "/openai/v1/chat/completions"),
        (
            f"{RESOURCE}/openai/v1",
            {"api_version": "preview"},
            OPENAI_CHAT,
            "/openai/v1/chat/completions?api-version=preview",
        ),
        (
            f"{RESOURCE}/openai",
            {"api_version": "2024-06-01"},
            OPENAI_CHAT,
            "/openai/deployments/my%20gpt/chat/completions?api-version=2024-06-01",
        ),
        (
            f"{RESOURCE}/openai?api-version=2025-01-01-preview",
            {},
            OPENAI_CHAT,
            "/openai/deployments/my%20gpt/chat/completions?api-version=2025-01-01-preview",
        ),
        (
            "https://r.services.ai.azure.com/models",
            {},
            OPENAI_CHAT,
            "/models/chat/completions?api-version=2024-05-01-preview",
        ),
    ],
)
async def test_each_kind_of_address_has_its_path(
    base: str, options: dict[str, str], dialect: str, path: str
) -> None:
    request = await sent(
        call(dialect, to=target("my gpt")), CHAT_ANSWER, wire="azure", base=base, options=options
    )
    assert request.path == path
    assert json.loads(request.body)["model"] == "my gpt"
    assert dict(request.headers)["api-key"] == "secret-key-1" and "authorization" not in dict(request.headers)


async def test_completions_and_embeddings_are_asked_of_their_deployment() -> None:
    base, options = f"{RESOURCE}/openai", {"api_version": "v"}
    request = await sent(
        call(OPENAI_COMPLETIONS, {"model": "m", "prompt": "x"}),
        b'{"choices":[{"text":"hi","finish_reason":"stop"}]}',
        wire="azure",
        base=base,
        options=options,
    )
    assert request.path == "/openai/deployments/m/completions?api-version=v"
    request = await sent(
        call(OPENAI_EMBEDDINGS, {"model": "m", "input": "x"}),
        b'{"data":[]}',
        wire="azure",
        base=base,
        options=options,
    )
    assert request.path == "/openai/deployments/m/embeddings?api-version=v"


def test_foundrys_endpoint_knows_chats_and_embeddings_only() -> None:
    direct = provider(ScriptedTransport(), "azure", "https://r.services.ai.azure.com/models")
    to = target(wire="azure")
    assert direct.speaks(OPENAI_CHAT, to) and direct.speaks(OPENAI_EMBEDDINGS, to)
    assert direct.speaks(OPENAI_COMPLETIONS, to), "asked as a chat"
    assert not direct.speaks(ANTHROPIC_COUNT_TOKENS, to) and not direct.speaks("openai.speech", to)


FILTERED = b"""data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{}]}\n
data: {"id":"c1","object":"chat.completion.chunk","model":"gpt","created":7,"choices":[{"index":0,"delta":\
{"content":"hi"},"content_filter_results":{"hate":{"filtered":false}},"finish_reason":null}]}\n
data: {"id":"c1","object":"chat.completion.chunk","model":"gpt","created":7,"choices":[{"index":0,"delta":{},\
"finish_reason":"stop"}]}\n
data: [DONE]\n\n"""


async def test_the_prompts_filter_results_are_forwarded_and_are_no_content() -> None:
    transport = ScriptedTransport(FILTERED, content_type="text/event-stream")
    stream = await provider(transport, "azure", f"{RESOURCE}/openai/v1").open_stream(call(stream=True))
    block = await stream.next_block()
    assert block is not None and b"prompt_filter_results" in block.raw
    assert block.events[0] == Opened()
    assert [event.text for event in block.events if isinstance(event, Delta)] == ["hi"]


async def test_a_translated_stream_is_named_after_the_first_chunk_with_a_name() -> None:
    transport = ScriptedTransport(FILTERED, content_type="text/event-stream")
    asked = call(ANTHROPIC_MESSAGES, stream=True)
    stream = await provider(transport, "azure", f"{RESOURCE}/openai/v1").open_stream(asked)
    raw = b""
    while (block := await stream.next_block()) is not None:
        raw += block.raw
    start = json.loads(raw.split(b"data: ", 1)[1].split(b"\n", 1)[0])
    assert start["type"] == "message_start" and start["message"]["id"].endswith("c1")


async def test_a_refusal_of_the_content_filter_is_one_of_content_policy() -> None:
    body = json.dumps(
        {
            "error": {
                "message": "The response was filtered",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
            }
        }
    ).encode()
    failure = await failure_of(ScriptedTransport(body, status=400), call(), wire="azure", base=RESOURCE)
    assert failure.kind is FailureKind.CONTENT_POLICY and failure.code == "ResponsibleAIPolicyViolation"
    assert failure.body == body


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {"code": "401", "message": "Access denied due to invalid subscription key"}, FailureKind.AUTH),
        (401, {"code": "PermissionDenied", "message": "Principal lacks data action"}, FailureKind.AUTH),
        (404, {"code": "DeploymentNotFound", "message": "does not exist"}, FailureKind.MODEL_MISSING),
        (429, {"code": "429", "message": "exceeded token rate limit"}, FailureKind.RATE_LIMIT),
        (400, {"code": "context_length_exceeded", "message": "x"}, FailureKind.CONTEXT_LENGTH),
        (408, {"code": "Timeout", "message": "x"}, FailureKind.TIMEOUT),
        (503, {"code": "InternalServerError", "message": "x"}, FailureKind.OVERLOADED),
    ],
)
async def test_errors_of_the_service_are_told_apart(
    status: int, error: dict[str, str], kind: FailureKind
) -> None:
    transport = ScriptedTransport(json.dumps({"error": error}).encode(), status=status)
    transport.response.headers.append(("retry-after-ms", "1500"))
    failure = await failure_of(transport, call(), wire="azure", base=RESOURCE)
    assert failure.kind is kind and failure.retry_after_s == 1.5


async def test_the_services_own_request_id_comes_back() -> None:
    transport = ScriptedTransport(CHAT_ANSWER)
    transport.response.headers += [("apim-request-id", "a-1"), ("x-ms-region", "East US")]
    asked = call(ANTHROPIC_MESSAGES)
    answer = await provider(transport, "azure", f"{RESOURCE}/openai/v1").complete(asked)
    assert ("apim-request-id", "a-1") in answer.headers
    assert "x-ms-region" not in dict(answer.headers), "where the operator's resource is"
