"""What survives the way through the Responses API's shape and back: everything, property-tested."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire import responses_answers, responses_reader, responses_requests, responses_to_chat
from adapters.wire.pivot import (
    Answer,
    Choice,
    ChoiceEnded,
    Ended,
    Piece,
    StreamPiece,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from adapters.wire.pivot_codec import Draft
from adapters.wire.registry import codec_for
from adapters.wire.responses_reader import ResponsesReader
from adapters.wire.responses_writer import ResponsesWriter
from adapters.wire.sse import SseSplitter
from application.ports.wire import OPENAI_CHAT, OPENAI_RESPONSES
from contracts.ports.stream_rules import assert_valid_stream
from domain.llm.stream import ContentKind
from domain.llm.usage import Usage
from tests.unit.wire.calls import call
from tests.unit.wire.test_round_trips import answers

_WORDS = st.text(alphabet='ab é"\\\n{}', min_size=1, max_size=12)
_ASKED = call(OPENAI_RESPONSES, {"model": "m", "input": "hello", "stream": True})


def _meaning(answer: Answer) -> Any:
    choice = answer.choices[0]
    # A whole response names the tier it was served at, which other families do not.
    usage = answer.usage and answer.usage._replace(variant="")
    calls = [(one.id, one.name, json.loads(one.arguments)) for one in choice.tool_calls]
    return choice.text, choice.reasoning, calls, choice.finish_reason, usage


@given(answer=answers())
@settings(max_examples=60)
def test_an_answer_survives_the_shape(answer: Answer) -> None:
    back = responses_reader.read_answer(responses_answers.answer_to(answer, _ASKED))
    assert _meaning(back) == _meaning(answer)


def _pieces(answer: Answer, step: int) -> list[StreamPiece]:
    choice = answer.choices[0]
    cut: list[StreamPiece] = []
    for kind, text in ((ContentKind.REASONING, choice.reasoning), (ContentKind.TEXT, choice.text)):
        cut += [Piece(0, kind, text[at : at + step]) for at in range(0, len(text), step)]
    for number, one in enumerate(choice.tool_calls):
        cut.append(ToolStarted(0, number, one.id, one.name))
        cut += [
            ToolArguments(0, number, one.arguments[at : at + step])
            for at in range(0, len(one.arguments), step)
        ]
    return cut


@given(answer=answers(), step=st.integers(1, 7), cut=st.integers(1, 97))
@settings(max_examples=60)
def test_a_stream_survives_however_it_is_cut(answer: Answer, step: int, cut: int) -> None:
    writer = ResponsesWriter(_ASKED)
    pieces = [*_pieces(answer, step), ChoiceEnded(0, answer.choices[0].finish_reason)]
    raw = b"".join(writer.write(piece) for piece in pieces) + writer.finish(answer.usage)
    asked = call(OPENAI_CHAT, stream=True, stream_options={"include_usage": True})
    decoder = codec_for(OPENAI_CHAT, OPENAI_RESPONSES).stream(asked)
    blocks = [decoder.feed(raw[at : at + cut]) for at in range(0, len(raw), cut)] + [decoder.end()]
    events = [event for block in blocks for event in block.events]
    seen = assert_valid_stream(OPENAI_CHAT, b"".join(block.raw for block in blocks), events)
    choice = answer.choices[0]
    assert (seen.text, seen.reasoning, seen.reason) == (choice.text, choice.reasoning, choice.finish_reason)
    assert seen.tools == tuple((one.name, json.loads(one.arguments)) for one in choice.tool_calls)


def test_the_end_of_a_native_stream_is_kept_in_it() -> None:
    frame = b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"r"}}\n\n'
    [parsed] = SseSplitter().feed(frame)
    assert parsed.data is not None
    assert ResponsesReader().read(None, parsed.data)[-1] == Ended(shown=True)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Chat messages as every family can say them: turns with calls are followed by all their results."""
    messages: list[dict[str, Any]] = []
    for turn in range(draw(st.integers(1, 4))):
        messages.append({"role": "user", "content": draw(_WORDS)})
        calls = [
            {
                "id": f"c{turn}_{number}",
                "type": "function",
                "function": {"name": "f", "arguments": json.dumps({"a": draw(st.integers())})},
            }
            for number in range(draw(st.integers(0, 3)))
        ]
        said: dict[str, Any] = {"role": "assistant", "content": draw(st.none() | _WORDS)}
        if calls:
            said["tool_calls"] = calls
        if calls or said["content"]:
            messages.append(said)
        results = [{"role": "tool", "tool_call_id": one["id"], "content": draw(_WORDS)} for one in calls]
        messages += results
    return messages


@given(messages=conversations())
@settings(max_examples=60)
def test_a_conversation_survives_the_way_there_and_back(messages: list[dict[str, Any]]) -> None:
    draft = Draft(call())
    body = responses_requests.from_chat({"model": "m", "messages": messages}, draft)
    back = responses_to_chat.to_chat(body, draft)
    assert back["messages"] == messages and not draft.dropped


def test_every_field_a_chat_can_say_reaches_a_responses_only_model() -> None:
    function = {"name": "f", "parameters": {"type": "object", "properties": {}}, "strict": True}
    chat = call(
        max_completion_tokens=5,
        stop=["x"],
        reasoning_effort="low",
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    )
    encoded = codec_for(OPENAI_CHAT, OPENAI_RESPONSES).request(chat)
    body = json.loads(encoded.body)
    assert body["max_output_tokens"] == 16, "the least OpenAI takes"
    assert body["reasoning"] == {"effort": "low", "summary": "auto"} and body["store"] is False
    assert body["tools"] == [
        {"type": "function", "name": "f", "parameters": function["parameters"], "strict": True}
    ]
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["text"]["format"] == {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
    assert encoded.dropped == ("stop",)


def test_encrypted_reasoning_goes_round_through_a_chat() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    calls = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    body = {"id": "r", "status": "completed", "model": "m", "output": [item, calls], "usage": None}
    codec = codec_for(OPENAI_CHAT, OPENAI_RESPONSES)
    message = json.loads(codec.response(json.dumps(body).encode(), call()).body)["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": "c1", "content": "x"}
    asked = call(messages=[{"role": "user", "content": "hi"}, message, result])
    items = json.loads(codec.request(asked).body)["input"]
    assert items[1] == item and items[2]["call_id"] == "c1"


def test_usage_survives() -> None:
    usage = Usage(20, 10, 8, 2, reasoning_tokens=4)
    answer = Answer("a", "m", (Choice(text="x", tool_calls=(ToolCall("c", "f", "{}"),)),), usage)
    back = responses_reader.read_answer(responses_answers.write_answer(answer)).usage
    assert back is not None and back._replace(variant="") == usage
