"""Vertex AI: addresses, and the shape that the publisher of a model speaks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.families import FAMILIES
from adapters.providers.vertex import PublishedModel, published
from application.ports.http import HttpRequest
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
)
from domain.llm.failures import FailureKind
from tests.unit.providers.test_direct import (
    CHAT_ANSWER,
    GEMINI_ANSWER,
    MESSAGE,
    ScriptedTransport,
    failure_of,
    provider,
)
from tests.unit.wire.calls import call, target

HOST = "https://europe-west4-aiplatform.googleapis.com"
PLACE = {"project": "p-1", "location": "europe-west4"}
HERE = "/v1/projects/p-1/locations/europe-west4"


async def sent_to(
    model: str,
    answer: bytes,
    dialect: str = OPENAI_CHAT,
    body: dict[str, Any] | None = None,
    *,
    base: str = HOST,
    options: dict[str, str] = PLACE,
    **fields: Any,
) -> HttpRequest:
    stream = bool(fields.get("stream"))
    transport = ScriptedTransport(answer, content_type="text/event-stream" if stream else "application/json")
    asked = call(dialect, body, to=target(model, wire="vertex"), **fields)
    direct = provider(transport, "vertex", base, options=options)
    await (direct.open_stream(asked) if stream else direct.complete(asked))
    return transport.requests[0]


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("", "https://aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
    ],
)
def test_a_location_has_its_host(location: str, host: str) -> None:
    assert FAMILIES["vertex"].address(None, {"location": location}) == host
    assert FAMILIES["vertex"].address("https://own.example", {"location": location}) == "https://own.example"


@pytest.mark.parametrize("location", ["Europe West", "x/y", "evil.example#"])
def test_a_location_that_cannot_be_one_makes_no_host(location: str) -> None:
    with pytest.raises(ValueError, match=r"^location"):
        FAMILIES["vertex"].address(None, {"location": location})


@pytest.mark.parametrize(
    ("model", "publisher", "name"),
    [
        ("gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("claude-sonnet-4-5@20250929", "anthropic", "claude-sonnet-4-5@20250929"),
        ("mistral-medium-3", "mistralai", "mistral-medium-3"),
        ("llama-4-scout-17b-16e-instruct-maas", "meta", "llama-4-scout-17b-16e-instruct-maas"),
        ("deepseek-ai/deepseek-v3.1-maas", "deepseek-ai", "deepseek-v3.1-maas"),
        ("publishers/anthropic/models/claude-x", "anthropic", "claude-x"),
        ("my-tuned-one", "google", "my-tuned-one"),
    ],
)
def test_a_models_publisher_is_named_or_known(model: str, publisher: str, name: str) -> None:
    assert published(model) == PublishedModel(publisher, name)


@given(st.text(max_size=60))
def test_any_name_has_a_publisher(model: str) -> None:
    found = published(model)
    assert isinstance(found.publisher, str) and model.endswith(found.name)


async def test_gemini_speaks_its_own_shape_below_the_project() -> None:
    request = await sent_to("gemini-2.5-pro", GEMINI_ANSWER)
    assert request.path == f"{HERE}/publishers/google/models/gemini-2.5-pro:generateContent"
    assert "contents" in json.loads(request.body)
    request = await sent_to("gemini-2.5-pro", b"", stream=True)
    assert request.path == f"{HERE}/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"


async def test_a_version_and_a_query_in_the_address_stay() -> None:
    request = await sent_to("gemini-x", GEMINI_ANSWER, base=f"{HOST}/proxy/v1beta1?k=v")
    assert request.path == (
        "/proxy/v1beta1/projects/p-1/locations/europe-west4/publishers/google/models/gemini-x"
        ":generateContent?k=v"
    )


async def test_express_mode_has_a_key_and_no_project() -> None:
    request = await sent_to("gemini-x", GEMINI_ANSWER, options={})
    assert request.path == "/v1/publishers/google/models/gemini-x:generateContent"
    assert dict(request.headers)["x-goog-api-key"] == "secret-key-1"


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC_MESSAGES])
async def test_claude_is_named_in_the_path_and_versioned_in_the_body(dialect: str) -> None:
    request = await sent_to("claude-x@1", MESSAGE, dialect)
    assert request.path == f"{HERE}/publishers/anthropic/models/claude-x@1:rawPredict"
    body = json.loads(request.body)
    assert body["anthropic_version"] == "vertex-2023-10-16" and "model" not in body
    assert "anthropic-version" not in dict(request.headers)
    request = await sent_to("claude-x@1", b"", dialect, stream=True)
    assert request.path.endswith(":streamRawPredict") and json.loads(request.body)["stream"] is True


async def test_unknown_fields_and_betas_of_an_anthropic_caller_travel_on() -> None:
    asked = call(ANTHROPIC_MESSAGES, to=target("claude-x", wire="vertex"), context_management={"edits": []})
    asked.request.headers = (("anthropic-beta", "context-management-2025-06-27"),)
    transport = ScriptedTransport(MESSAGE)
    await provider(transport, "vertex", HOST, options=PLACE).complete(asked)
    request = transport.requests[0]
    assert json.loads(request.body)["context_management"] == {"edits": []}
    assert dict(request.headers)["anthropic-beta"] == "context-management-2025-06-27"


async def test_claudes_tokens_are_counted_at_an_address_of_their_own() -> None:
    request = await sent_to("claude-x", b'{"input_tokens":3}', ANTHROPIC_COUNT_TOKENS)
    assert request.path == f"{HERE}/publishers/anthropic/models/count-tokens:rawPredict"
    assert json.loads(request.body)["model"] == "claude-x"


async def test_other_publishers_stand_behind_one_chat_endpoint() -> None:
    request = await sent_to("llama-4-maas", CHAT_ANSWER)
    assert request.path == f"{HERE}/endpoints/openapi/chat/completions"
    assert json.loads(request.body)["model"] == "meta/llama-4-maas"


async def test_mistral_takes_chats_at_the_models_own_address() -> None:
    request = await sent_to("mistral-large@2411", CHAT_ANSWER, ANTHROPIC_MESSAGES)
    assert request.path == f"{HERE}/publishers/mistralai/models/mistral-large@2411:rawPredict"
    assert json.loads(request.body)["model"] == "mistral-large"


async def test_embeddings_are_predicted_and_counted() -> None:
    answer = json.dumps(
        {
            "predictions": [
                {"embeddings": {"values": [0.5, 1.0], "statistics": {"token_count": 3}}},
                {"embeddings": {"values": [1.5, 2.0], "statistics": {"token_count": 4}}},
            ]
        }
    ).encode()
    body = {"model": "m", "input": ["a", "b"], "dimensions": 2, "user": "u"}
    transport = ScriptedTransport(answer)
    asked = call(OPENAI_EMBEDDINGS, body, to=target("text-embedding-005", wire="vertex"))
    got = await provider(transport, "vertex", HOST, options=PLACE).complete(asked)
    assert transport.requests[0].path == f"{HERE}/publishers/google/models/text-embedding-005:predict"
    assert json.loads(transport.requests[0].body) == {
        "instances": [{"content": "a"}, {"content": "b"}],
        "parameters": {"outputDimensionality": 2},
    }
    written = json.loads(got.body)
    assert [one["embedding"] for one in written["data"]] == [[0.5, 1.0], [1.5, 2.0]]
    assert got.usage is not None and got.usage.input_tokens == 7 and got.dropped == ("user",)


def test_what_a_publisher_has_no_endpoint_for_is_not_spoken() -> None:
    direct = provider(ScriptedTransport(), "vertex", HOST, options=PLACE)
    claude, llama = target("claude-x", wire="vertex"), target("llama-x", wire="vertex")
    assert not direct.speaks(OPENAI_EMBEDDINGS, claude) and not direct.speaks(OPENAI_EMBEDDINGS, llama)
    assert direct.speaks(ANTHROPIC_COUNT_TOKENS, claude)
    assert not direct.speaks(ANTHROPIC_COUNT_TOKENS, llama)
    assert direct.speaks(OPENAI_COMPLETIONS, llama), "asked as a chat"


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (401, "UNAUTHENTICATED", FailureKind.AUTH),
        (403, "PERMISSION_DENIED", FailureKind.AUTH),
        (404, "NOT_FOUND", FailureKind.MODEL_MISSING),
        (429, "RESOURCE_EXHAUSTED", FailureKind.RATE_LIMIT),
        (503, "UNAVAILABLE", FailureKind.OVERLOADED),
        (400, "INVALID_ARGUMENT", FailureKind.CALLER_FAULT),
    ],
)
@pytest.mark.parametrize("model", ["gemini-x", "claude-x", "llama-x"])
async def test_googles_errors_are_read_whatever_the_publisher(
    status: int, word: str, kind: FailureKind, model: str
) -> None:
    body = json.dumps({"error": {"code": status, "message": "no", "status": word}}).encode()
    asked = call(to=target(model, wire="vertex"))
    for shape in (body, b"[" + body + b"]"):
        transport = ScriptedTransport(shape, status=status)
        failure = await failure_of(transport, asked, wire="vertex", base=HOST, options=PLACE)
        assert failure.kind is kind
