"""Callers who speak Gemini, in front of all three wires: answers, streams, counts, vectors, errors."""

import json
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import TRANSLATED, WIRES, sent, sent_headers, simulate, sse_events

HELLO: list[dict[str, Any]] = [{"role": "user", "parts": [{"text": "hello"}]}]
TOOLS = [{"functionDeclarations": [{"name": "weather", "parameters": {"type": "OBJECT", "properties": {}}}]}]


def ask(stack: Stack, path: str, body: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
    headers = options.pop("headers", {"x-goog-api-key": stack.key})
    with httpx.Client(base_url=stack.url, timeout=20, headers=headers) as client:
        return client.post(path, json=body or {"contents": HELLO}, **options)


@pytest.mark.parametrize("version", ["v1beta", "v1"])
@pytest.mark.parametrize("wire", WIRES)
def test_an_answer_has_geminis_shape_whoever_gave_it(stack: Stack, wire: str, version: str) -> None:
    answer = ask(stack, f"/{version}/models/{wire}/small:generateContent")
    body = answer.json()
    (candidate,) = body["candidates"]
    assert answer.status_code == 200 and candidate["finishReason"] == "STOP"
    assert "hello" in candidate["content"]["parts"][0]["text"] and candidate["content"]["role"] == "model"
    usage = body["usageMetadata"]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]
    assert answer.headers["x-interchange-provider"] == wire
    assert float(answer.headers["x-interchange-cost-usd"]) > 0


@pytest.mark.parametrize("wire", WIRES)
def test_a_stream_comes_as_events_or_as_one_array(stack: Stack, wire: str) -> None:
    path = f"/v1beta/models/{wire}/small:streamGenerateContent"
    events = ask(stack, path, params={"alt": "sse"})
    array = ask(stack, path)
    assert events.headers["content-type"].startswith("text/event-stream")
    assert array.headers["content-type"].startswith("application/json")
    for chunks in (sse_events(events.text), array.json()):
        text = "".join(part["text"] for c in chunks for part in c["candidates"][0]["content"]["parts"])
        assert "hello" in text and chunks[-1]["candidates"][0]["finishReason"] == "STOP"
        assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] > 0
    assert ":" not in {line[:1] for line in events.text.splitlines()}, "no comments: SDKs read them as JSON"


@pytest.mark.parametrize("wire", WIRES)
def test_a_conversation_with_a_tool_goes_through(stack: Stack, wire: str) -> None:
    path = f"/v1beta/models/{wire}/small:generateContent"
    forced = {"functionCallingConfig": {"mode": "ANY"}}
    asked = {"contents": HELLO, "tools": TOOLS, "toolConfig": forced}
    first = ask(stack, path, asked).json()["candidates"][0]["content"]
    (call,) = [part["functionCall"] for part in first["parts"] if "functionCall" in part]
    result = {"functionResponse": {**call, "response": {"result": "sunny"}}}
    result["functionResponse"].pop("args")
    contents = [*HELLO, first, {"role": "user", "parts": [result]}]
    second = ask(stack, path, {"contents": contents, "tools": TOOLS})
    assert "sunny" in second.json()["candidates"][0]["content"]["parts"][0]["text"], second.text


def test_within_the_family_body_and_answer_keep_their_bytes(stack: Stack) -> None:
    body = b'{ "contents" : [{"parts":[{"text":"hello"}]}], "novelField": {"a": 1.50} }'
    headers = {
        "x-goog-api-key": stack.key,
        "x-goog-api-client": "genai/9",
        "content-type": "application/json",
    }
    with httpx.Client(base_url=stack.url, timeout=20, headers=headers) as client:
        answer = client.post("/v1beta/models/gamma/small:generateContent", content=body)
    assert sent(stack, "gamma")["novelField"] == {"a": 1.5} and "x-interchange-dropped" not in answer.headers
    got = sent_headers(stack, "gamma")
    assert stack.key not in got["x-goog-api-key"] and got["x-goog-api-client"] == "genai/9"


def test_what_a_translation_loses_is_named(stack: Stack) -> None:
    body = {"contents": HELLO, "safetySettings": [{}], "generationConfig": {"mediaResolution": "LOW"}}
    answer = ask(stack, "/v1beta/models/beta/small:generateContent", body)
    assert answer.headers["x-interchange-dropped"] == "safetySettings,generationConfig.mediaResolution"


@pytest.mark.parametrize("wire", WIRES)
def test_tokens_are_counted_or_estimated(stack: Stack, wire: str) -> None:
    answer = ask(stack, f"/v1beta/models/{wire}/small:countTokens")
    assert answer.json()["totalTokens"] > 0
    assert answer.headers.get("x-interchange-estimated") == ("true" if wire == "alpha" else None)


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_vectors_come_one_or_many(stack: Stack, wire: str) -> None:
    one = {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 4}
    single = ask(stack, f"/v1beta/models/{wire}/embed:embedContent", one).json()
    several = ask(stack, f"/v1beta/models/{wire}/embed:batchEmbedContents", {"requests": [one, one]}).json()
    assert len(single["embedding"]["values"]) == 4
    assert several["embeddings"] == [single["embedding"]] * 2


def test_the_key_may_stand_in_the_query_and_a_header_comes_first(stack: Stack) -> None:
    path = "/v1beta/models/alpha/small:generateContent"
    assert ask(stack, path, params={"key": stack.key}, headers={}).status_code == 200
    assert ask(stack, path, params={"key": stack.key}, headers={"x-goog-api-key": "x"}).status_code == 401
    with httpx.Client(base_url=stack.url) as client:
        assert client.get("/v1beta/models", params={"key": stack.key}).status_code == 200


def test_models_are_listed_by_pages_under_both_versions(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url, headers={"x-goog-api-key": stack.key}) as client:
        for path in ("/v1beta/models", "/v1/models"):
            page = client.get(path, params={"pageSize": 2}).json()
            after = client.get(path, params={"pageSize": 2, "pageToken": page["nextPageToken"]}).json()
            assert len(page["models"]) == 2 and page["models"] != after["models"]
            one = client.get(f"{path}/alpha/small").json()
            assert one["name"] == "models/alpha/small" and one["inputTokenLimit"] == 128000
        assert client.get("/v1beta/models", params={"pageSize": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "name", "code"),
    [
        ("none:generateContent", None, None, 404, "NOT_FOUND", "model_not_found"),
        ("alpha/small:generateContent", {"contents": []}, None, 400, "INVALID_ARGUMENT", "invalid_request"),
        ("alpha/small:generateContent", None, {"x-goog-api-key": "x"}, 401, "UNAUTHENTICATED", None),
        ("alpha/small:generateContent", None, {}, 401, "UNAUTHENTICATED", None),
        ("alpha/small:nothing", None, None, 405, "UNIMPLEMENTED", "method_not_allowed"),
    ],
)
def test_errors_have_googles_shape(
    stack: Stack, path: str, body: Any, headers: Any, status: int, name: str, code: str | None
) -> None:
    options = {} if headers is None else {"headers": headers}
    answer = ask(stack, f"/v1beta/models/{path}", body, **options)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (status, status, name)
    facts, request = error["details"]
    assert code is None or facts["metadata"]["code"] == code
    assert request["requestId"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("wire", TRANSLATED)
def test_a_broken_stream_ends_with_an_error_in_either_framing(stack: Stack, wire: str) -> None:
    path = f"/v1beta/models/{wire}/small:streamGenerateContent"
    for params in ({"alt": "sse"}, {}):
        fault = {"kind": "cut_after", "tokens": 3}
        simulate(stack, lambda fault=fault: stack.simulator.fault(fault, match={"model": "small"}))  # type: ignore[misc]
        answer = ask(stack, path, params=params)
        last = json.loads(answer.text)[-1] if not params else sse_events(answer.text)[-1]
        assert last["error"]["details"][0]["metadata"]["code"] == "stream_interrupted"
