import io
import json

import openai
import pytest

from entrypoints.simulator.server import SimulatedProvider
from tests.unit.simulator.conftest import WEATHER, Caller, Reply

TOOL = {"type": "function", "name": "get_weather", "parameters": WEATHER}


async def ask(
    caller: Caller, given: object = "hello there", *, model: str = "small", **more: object
) -> Reply:
    return await caller.post("/v1/responses", {"model": model, "input": given, **more})


async def test_a_response_has_items_and_usage(caller: Caller) -> None:
    answer = (await ask(caller, model="think")).json

    assert [item["type"] for item in answer["output"]] == ["reasoning", "message"]
    assert "simulated provider" in answer["output"][1]["content"][0]["text"]
    assert answer["status"] == "completed"
    assert answer["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


async def test_the_openai_client_reads_its_stream(provider: SimulatedProvider) -> None:
    async with openai.AsyncOpenAI(
        api_key="k", base_url=provider.base_url + "/v1", max_retries=0, timeout=5
    ) as client:
        whole = await client.responses.create(model="think", input="hello")
        text, kinds = "", []
        async for event in await client.responses.create(model="think", input="hello", stream=True):
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "response.completed":
                last = event.response

    assert text == whole.output_text == last.output_text
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert last.usage == whole.usage


async def test_a_function_call_is_streamed_in_parts(caller: Caller) -> None:
    events = (await ask(caller, "use get_weather", tools=[TOOL], stream=True)).events
    whole = (await ask(caller, "use get_weather", tools=[TOOL])).json

    parts = [e["delta"] for e in events if e["type"] == "response.function_call_arguments.delta"]
    assert len(parts) > 1 and json.loads("".join(parts))["city"]
    assert whole["output"] == events[-1]["response"]["output"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


async def test_a_function_output_is_answered_with_text(caller: Caller) -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "use get_weather"}]},
        {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "21 degrees"},
    ]

    assert "21 degrees" in (await ask(caller, items, tools=[TOOL])).body.decode()


async def test_truncation_makes_it_incomplete(caller: Caller) -> None:
    answer = (await ask(caller, max_output_tokens=2)).json
    events = (await ask(caller, max_output_tokens=2, stream=True)).events

    assert (answer["status"], answer["incomplete_details"]["reason"]) == ("incomplete", "max_output_tokens")
    assert events[-1]["type"] == "response.incomplete"


async def test_refusals_schemas_and_logprobs_are_given(caller: Caller) -> None:
    wanted = {"format": {"type": "json_schema", "name": "w", "schema": WEATHER}}

    refusal = (await ask(caller, model="refuser")).json["output"][0]["content"][0]
    structured = (await ask(caller, text=wanted)).json["output"][0]["content"][0]["text"]
    scored = (await ask(caller, include=["message.output_text.logprobs"])).json["output"][0]["content"][0]

    assert refusal["type"] == "refusal"
    assert set(json.loads(structured)) == {"city", "days"}
    assert scored["logprobs"]
    assert "response.refusal.delta" in (await ask(caller, model="refuser", stream=True)).body.decode()


async def test_a_stored_response_is_continued_by_the_account_that_got_it_only(caller: Caller) -> None:
    first = (await ask(caller)).json
    body = {"model": "small", "input": "and then?", "previous_response_id": first["id"]}

    mine = await caller.post("/v1/responses", body)
    anothers = await caller.post("/v1/responses", body, key="another-key")
    elsewhere = await caller.post("/alpha/v1/responses", body)

    assert mine.json["usage"]["input_tokens"] > first["usage"]["input_tokens"]
    assert (anothers.status, anothers.json["error"]["code"]) == (400, "previous_response_not_found")
    assert elsewhere.status == 400


async def test_what_is_not_stored_cannot_be_continued(caller: Caller) -> None:
    first = (await ask(caller, "not kept", store=False)).json

    assert (await ask(caller, previous_response_id=first["id"])).status == 400


async def test_an_error_can_come_inside_the_stream(caller: Caller) -> None:
    caller.provider.fault({"kind": "error_frame_after", "tokens": 1, "code": "server_error"})

    assert (await ask(caller, stream=True)).events[-1]["code"] == "server_error"


@pytest.mark.parametrize(
    ("body", "param"),
    [({"input": "x"}, "model"), ({"model": "m"}, "input"), ({"model": "m", "input": []}, "input")],
)
async def test_a_bad_request_names_its_parameter(caller: Caller, body: object, param: str) -> None:
    assert (await caller.post("/v1/responses", body)).json["error"]["param"] == param


async def test_moderation_flags_only_the_marked_text(caller: Caller) -> None:
    results = (await caller.post("/v1/moderations", {"input": ["fine", "a [flag] here"]})).json["results"]

    assert [result["flagged"] for result in results] == [False, True]


async def test_reranking_puts_the_likest_document_first(caller: Caller) -> None:
    body = {
        "model": "rank",
        "query": "price of tea",
        "documents": ["cats", {"text": "the price of tea"}],
        "top_n": 1,
    }

    assert (await caller.post("/v1/rerank", body)).json["results"][0]["index"] == 1


async def test_pictures_speech_and_transcripts_are_answered(caller: Caller) -> None:
    pictures = (await caller.post("/v1/images/generations", {"model": "m", "prompt": "a cat", "n": 2})).json
    speech = await caller.post("/v1/audio/speech", {"model": "m", "input": "hello", "voice": "v"})
    async with caller.session.post(
        caller.provider.base_url + "/v1/audio/transcriptions",
        data={"file": io.BytesIO(b"sound"), "model": "m"},
        headers={"authorization": "Bearer k"},
    ) as response:
        transcript = await response.json()

    assert len(pictures["data"]) == 2
    assert speech.headers["content-type"] == "audio/mpeg" and speech.body.startswith(b"ID3")
    assert "simulated transcript" in transcript["text"]


@pytest.mark.parametrize("path", ["rerank", "images/generations", "audio/speech", "moderations"])
async def test_side_operations_name_what_is_missing(caller: Caller, path: str) -> None:
    reply = await caller.post(f"/v1/{path}", {})

    assert reply.status == 400 and reply.json["error"]["param"]
