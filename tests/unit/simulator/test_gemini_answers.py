import json
import math
from typing import Any

from tests.unit.simulator.conftest import WEATHER, Caller, Reply

TOOLS = [{"functionDeclarations": [{"name": "get_weather", "parameters": WEATHER}]}]
MODEL = "/gamma/v1beta/models/small"


def contents(text: str = "hello there") -> list[dict[str, Any]]:
    return [{"role": "user", "parts": [{"text": text}]}]


async def ask(
    caller: Caller, action: str = ":generateContent", *, text: str = "hello there", **more: Any
) -> Reply:
    body = {"contents": contents(text), **more}
    return await caller.post(MODEL + action, body, key=None, **{"x-goog-api-key": "k"})


async def test_an_answer_has_candidates_and_usage(caller: Caller) -> None:
    answer = (await ask(caller)).json

    assert answer["candidates"][0]["finishReason"] == "STOP"
    usage = answer["usageMetadata"]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]


async def test_an_event_stream_says_the_same_with_the_reason_last(caller: Caller) -> None:
    whole = (await ask(caller)).json
    reply = await ask(caller, ":streamGenerateContent?alt=sse")

    texts = [event["candidates"][0]["content"]["parts"][0]["text"] for event in reply.events]
    assert "".join(texts) == whole["candidates"][0]["content"]["parts"][0]["text"]
    assert [event["candidates"][0].get("finishReason") for event in reply.events][-2:] == [None, "STOP"]
    assert reply.events[-1]["usageMetadata"] == whole["usageMetadata"]


async def test_without_alt_sse_the_stream_is_one_json_array(caller: Caller) -> None:
    reply = await ask(caller, ":streamGenerateContent")

    assert reply.headers["content-type"] == "application/json"
    assert reply.json[-1]["candidates"][0]["finishReason"] == "STOP"


async def test_a_function_is_called_with_whole_arguments(caller: Caller) -> None:
    whole = (await ask(caller, text="use get_weather", tools=TOOLS)).json
    events = (await ask(caller, ":streamGenerateContent?alt=sse", text="use get_weather", tools=TOOLS)).events

    call = whole["candidates"][0]["content"]["parts"][0]["functionCall"]
    assert call["name"] == "get_weather" and isinstance(call["args"]["city"], str)
    assert events[0]["candidates"][0]["content"]["parts"][0]["functionCall"] == call


async def test_a_mode_of_any_forces_an_allowed_function(caller: Caller) -> None:
    config = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}}

    parts = (await ask(caller, tools=TOOLS, toolConfig=config)).json["candidates"][0]["content"]["parts"]

    assert "functionCall" in parts[0]


async def test_the_generation_config_is_honoured(caller: Caller) -> None:
    schema = {"responseMimeType": "application/json", "responseSchema": WEATHER}

    truncated = (await ask(caller, generationConfig={"maxOutputTokens": 2})).json
    structured = (await ask(caller, generationConfig=schema)).json
    several = (await ask(caller, generationConfig={"candidateCount": 2})).json

    assert truncated["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert set(json.loads(structured["candidates"][0]["content"]["parts"][0]["text"])) == {"city", "days"}
    assert [candidate["index"] for candidate in several["candidates"]] == [0, 1]


async def test_thoughts_are_parts_and_counted_apart(caller: Caller) -> None:
    thinking = {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1000}}

    answer = (await ask(caller, generationConfig=thinking)).json

    assert answer["candidates"][0]["content"]["parts"][0]["thought"] is True
    usage = answer["usageMetadata"]
    parts = usage["promptTokenCount"] + usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
    assert usage["totalTokenCount"] == parts


async def test_embeddings_come_alone_or_in_batches(caller: Caller) -> None:
    request = {"content": {"parts": [{"text": "a cat"}]}, "outputDimensionality": 8}

    one = (await caller.post(MODEL + ":embedContent", request)).json
    several = (await caller.post(MODEL + ":batchEmbedContents", {"requests": [request, request]})).json

    assert math.isclose(math.hypot(*one["embedding"]["values"]), 1.0)
    assert several["embeddings"] == [one["embedding"]] * 2


async def test_tokens_are_counted_as_they_are_billed(caller: Caller) -> None:
    counted = (await ask(caller, ":countTokens")).json

    assert counted["totalTokens"] == (await ask(caller)).json["usageMetadata"]["promptTokenCount"]


async def test_a_key_in_the_query_is_accepted_and_errors_have_geminis_shape(caller: Caller) -> None:
    accepted = await caller.post(MODEL + ":generateContent?key=k", {"contents": contents()}, key=None)
    no_key = await caller.post(MODEL + ":generateContent", {"contents": contents()}, key=None)
    empty = await ask(caller, contents=[])

    assert accepted.status == 200
    assert (no_key.status, no_key.json["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert (empty.status, empty.json["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_models_are_listed_in_geminis_shape(caller: Caller) -> None:
    caller.provider.set_models("small")

    listed = (await caller.send("GET", "/gamma/v1beta/models")).json

    assert [model["name"] for model in listed["models"]] == ["models/small"]
    assert (await caller.send("GET", MODEL)).json["name"] == "models/small"


async def test_images_and_function_responses_are_read_in_both_spellings(caller: Caller) -> None:
    image = {"inline_data": {"mime_type": "image/webp", "data": "AAAA"}}
    file = {"fileData": {"fileUri": "gs://bucket/a.png"}}
    seen = (await ask(caller, contents=[{"parts": [image, file, {"text": "look"}]}])).json
    answered = (
        await ask(
            caller,
            tools=TOOLS,
            contents=[
                {"role": "user", "parts": [{"text": "use get_weather"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {}}}]},
                {
                    "role": "user",
                    "parts": [{"functionResponse": {"name": "get_weather", "response": {"t": 21}}}],
                },
            ],
        )
    ).json

    assert "2 images (webp, 3 bytes, at gs://bucket/a.png)" in json.dumps(seen)
    assert '{"t":21}' in answered["candidates"][0]["content"]["parts"][0]["text"]


async def test_a_trailing_model_turn_is_continued(caller: Caller) -> None:
    whole = (await ask(caller)).json["candidates"][0]["content"]["parts"][0]["text"]
    turns = [*contents(), {"role": "model", "parts": [{"text": whole[:25]}]}]

    rest = (await ask(caller, contents=turns)).json["candidates"][0]["content"]["parts"][0]["text"]

    assert whole[:25] + rest == whole


async def test_log_probabilities_are_given_when_asked_for(caller: Caller) -> None:
    config = {"responseLogprobs": True, "logprobs": 1, "maxOutputTokens": 2}

    candidate = (await ask(caller, generationConfig=config)).json["candidates"][0]

    assert len(candidate["logprobsResult"]["chosenCandidates"]) == 2
