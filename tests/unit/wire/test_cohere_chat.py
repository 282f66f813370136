"""Chats at Cohere: requests said in its second API, answers and streams read from it."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.cohere import COHERE_CHAT
from adapters.wire.registry import codec_for
from application.ports.llm import Block, UpstreamFailed
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from contracts.ports.stream_rules import assert_valid_stream
from domain.llm.failures import FailureKind
from domain.llm.stream import Faulted, Finished, UsageReported
from domain.llm.usage import Usage
from tests.unit.wire.calls import HELLO, call, thinker
from tests.unit.wire.translations import CALL, CONVERSATION, FUNCTION, TOOL, encoded, refusal

CODEC = codec_for(OPENAI_CHAT, COHERE_CHAT)
USAGE = {
    "billed_units": {"input_tokens": 7.0, "output_tokens": 3.0},
    "tokens": {"input_tokens": 70, "output_tokens": 3},
    "cached_tokens": 2,
}


def sent(to: Any = None, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    return encoded(COHERE_CHAT, call(to=to, **fields))


def answer(dialect: str = OPENAI_CHAT, **changes: Any) -> tuple[dict[str, Any], Any]:
    """What a caller is told of an answer."""
    said = {
        "id": "c-1",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "hi"}]},
        "usage": USAGE,
        **changes,
    }
    told = codec_for(dialect, COHERE_CHAT).response(json.dumps(said).encode(), call(dialect))
    return json.loads(told.body), told


# -- requests -----------------------------------------------------------------------------------------


def test_a_conversation_with_tools_keeps_its_order_and_ids() -> None:
    body, dropped = sent(messages=CONVERSATION, tools=[TOOL])
    assert [message["role"] for message in body["messages"]] == [
        "system", "user", "assistant", "tool", "tool", "user",
    ]  # fmt: skip
    assert [one["id"] for one in body["messages"][2]["tool_calls"]] == ["c1", "c2"]
    assert json.loads(body["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert body["messages"][3] == {
        "role": "tool",
        "tool_call_id": "c1",
        "content": [{"type": "document", "document": {"data": {"result": '{"r":2}'}}}],
    }
    assert body["tools"] == [{"type": "function", "function": FUNCTION}]
    assert dropped == ()


@pytest.mark.parametrize(
    ("choice", "said", "offered"),
    [
        ("auto", None, 2),
        ("none", "NONE", 2),
        ("required", "REQUIRED", 2),
        ({"type": "function", "function": {"name": "f"}}, "REQUIRED", 1),
    ],
)
def test_a_choice_of_tools_is_said_in_coheres_words(choice: Any, said: str | None, offered: int) -> None:
    other = {"type": "function", "function": {**FUNCTION, "name": "g", "strict": True}}
    body, _ = sent(tools=[TOOL, other], tool_choice=choice)
    assert body.get("tool_choice") == said and len(body["tools"]) == offered


@pytest.mark.parametrize(
    ("required", "others", "strict", "dropped"),
    [
        (["a"], [], True, ()),
        ([], [], None, ("tools.strict",)),
        (["a"], [TOOL], None, ("tools.strict",)),
    ],
)
def test_tools_are_strict_together_or_not_at_all(
    required: list[str], others: list[Any], strict: bool | None, dropped: tuple[str, ...]
) -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": required}
    tool = {"type": "function", "function": {"name": "s", "parameters": schema, "strict": True}}
    body, named = sent(tools=[tool, *others])
    assert body.get("strict_tools") is strict and named == dropped


@pytest.mark.parametrize(
    ("field", "value", "name", "said", "dropped"),
    [
        ("temperature", 1.7, "temperature", 1.7, ()),
        ("top_p", 1, "p", 0.99, ()),
        ("top_p", 0, "p", 0.01, ("top_p",)),
        ("top_k", 900, "k", 500, ("top_k",)),
        ("presence_penalty", -1, "presence_penalty", 0.0, ("presence_penalty",)),
        ("frequency_penalty", 2, "frequency_penalty", 1.0, ("frequency_penalty",)),
        ("seed", 5, "seed", 5, ()),
        ("stop", ["a", "b"], "stop_sequences", ["a", "b"], ()),
        ("max_completion_tokens", 9, "max_tokens", 9, ()),
        ("safety_mode", "STRICT", "safety_mode", "STRICT", ()),
    ],
)
def test_values_are_brought_within_what_cohere_takes(
    field: str, value: Any, name: str, said: Any, dropped: tuple[str, ...]
) -> None:
    body, named = sent(**{field: value})
    assert body[name] == said and named == dropped


def test_a_schema_is_asked_for_as_json() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert sent(response_format=wanted)[0]["response_format"] == {
        "type": "json_object",
        "json_schema": schema,
    }
    assert sent(response_format={"type": "json_object"})[0]["response_format"] == {"type": "json_object"}


def test_thinking_is_wished_only_of_models_that_think() -> None:
    body, _ = sent(thinker(), reasoning_effort="high", max_tokens=1000)
    assert body["thinking"] == {"type": "enabled", "token_budget": 500}
    assert sent(thinker(), reasoning_effort="none")[0]["thinking"] == {"type": "disabled"}
    body, dropped = sent(reasoning_effort="high")
    assert "thinking" not in body and dropped == ("reasoning_effort",)


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
    ],
)
def test_what_cannot_be_said_is_refused(fields: dict[str, Any]) -> None:
    assert refusal(COHERE_CHAT, call(**fields))


def test_thinking_of_earlier_answers_is_left_out_and_named() -> None:
    earlier = {"role": "assistant", "content": "well", "reasoning_content": "hmm"}
    body, dropped = sent(messages=[*HELLO, earlier, *HELLO])
    assert body["messages"][1] == {"role": "assistant", "content": "well"}
    assert dropped == ("messages.reasoning_content",)


# -- answers ------------------------------------------------------------------------------------------


def test_what_is_billed_is_what_is_counted() -> None:
    assert answer()[1].usage == Usage(7, 3, cached_read_tokens=2)
    assert answer(usage={"billed_units": {"search_units": 1}, "tokens": USAGE["tokens"]})[1].usage == Usage(
        70, 3
    )
    odd = {"input_tokens": -5, "output_tokens": 1e30}
    assert answer(usage={"billed_units": odd})[1].usage == Usage(0, 10**9)
    assert answer(usage={})[1].usage is None
    assert answer(usage=None)[1].usage is None


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("NEW", "stop"),
    ],
)
def test_reasons_are_told_in_the_callers_words(theirs: str, ours: str) -> None:
    assert answer(finish_reason=theirs)[0]["choices"][0]["finish_reason"] == ours


@pytest.mark.parametrize(
    ("reason", "kind"), [("ERROR", FailureKind.BAD_RESPONSE), ("TIMEOUT", FailureKind.TIMEOUT)]
)
def test_an_answer_that_failed_is_a_failure(reason: str, kind: FailureKind) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        answer(finish_reason=reason)
    assert caught.value.failure.kind in (kind, FailureKind.SERVER_ERROR)


def test_a_plan_and_thoughts_are_reasoning_and_citations_stay_behind() -> None:
    message = {
        "role": "assistant",
        "tool_plan": "I will call f.",
        "tool_calls": [CALL],
        "content": [{"type": "thinking", "thinking": "hm", "text": None}],
        "citations": [{"start": 0, "end": 2, "text": "hi", "sources": []}],
    }
    said, _ = answer(finish_reason="TOOL_CALL", message=message)
    choice = said["choices"][0]
    assert choice["message"]["tool_calls"][0]["function"] == CALL["function"]
    assert choice["message"]["reasoning_content"] == "I will call f.hm"
    blocks = answer(ANTHROPIC_MESSAGES, finish_reason="TOOL_CALL", message=message)[0]["content"]
    assert [block["type"] for block in blocks] == ["thinking", "tool_use"]


# -- streams ------------------------------------------------------------------------------------------


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def part(**message: Any) -> dict[str, Any]:
    return {"message": message}


END = event("message-end", delta={"finish_reason": "TOOL_CALL", "usage": USAGE})
STREAM = (
    event("message-start", id="c-1", delta=part(role="assistant", content=[], tool_plan=None, tool_calls=[]))
    + event("content-start", index=0, delta=part(content={"type": "thinking", "thinking": ""}))
    + event("content-delta", index=0, delta=part(content={"thinking": "hm", "text": None}))
    + event("content-end", index=0)
    + event("content-start", index=1, delta=part(content={"type": "text", "text": ""}))
    + event("content-delta", index=1, delta=part(content={"text": "Grü"}))
    + event("content-delta", index=1, delta=part(content={"text": "ße"}))
    + event("citation-start", index=0, delta=part(citations={"start": 0, "end": 2, "sources": []}))
    + event("citation-end", index=0)
    + event("content-end", index=1)
    + event("tool-plan-delta", delta=part(tool_plan="I will."))
    + event("tool-call-start", index=4, delta=part(tool_calls={**CALL, "function": {"name": "f"}}))
    + event("tool-call-delta", index=4, delta=part(tool_calls={"function": {"arguments": '{"a"'}}))
    + event("tool-call-delta", index=4, delta=part(tool_calls={"function": {"arguments": ":1}"}}))
    + event("tool-call-end", index=4)
    + event("tool-call-start", index=5, delta=part(tool_calls=[{**CALL, "id": "c2"}]))
    + event("tool-call-end", index=5)
)


def streamed(*chunks: bytes, dialect: str = OPENAI_CHAT) -> Block:
    fields: dict[str, Any] = {"stream_options": {"include_usage": True}} if dialect == OPENAI_CHAT else {}
    decoder = codec_for(dialect, COHERE_CHAT).stream(call(dialect, stream=True, **fields))
    blocks = [decoder.feed(chunk) for chunk in chunks] + [decoder.end()]
    return Block(b"".join(b.raw for b in blocks), tuple(e for b in blocks for e in b.events))


@given(
    cuts=st.lists(st.integers(0, len(STREAM + END)), max_size=12), sse_end=st.sampled_from([b"\n", b"\r\n"])
)
@settings(max_examples=40, deadline=None)
def test_a_stream_means_the_same_however_it_is_cut(cuts: list[int], sse_end: bytes) -> None:
    raw = (STREAM + END + b"data: [DONE]\n\n").replace(b"\n", sse_end)
    places = [0, *sorted(cuts), len(raw)]
    block = streamed(*(raw[a:b] for a, b in pairwise(places)))
    seen = assert_valid_stream(OPENAI_CHAT, block.raw, block.events)
    assert (seen.text, seen.reasoning) == ("Grüße", "hmI will.")
    assert seen.tools == (("f", {"a": 1}), ("f", {"a": 1}))
    told = {each for each in block.events if isinstance(each, UsageReported)}
    assert told == {UsageReported(Usage(7, 3, cached_read_tokens=2))}
    assert Finished("tool_calls") in block.events


def test_a_stream_is_told_to_anthropics_callers_block_by_block() -> None:
    block = streamed(STREAM + END, dialect=ANTHROPIC_MESSAGES)
    seen = assert_valid_stream(ANTHROPIC_MESSAGES, block.raw, block.events)
    assert seen.text == "Grüße" and [name for name, _ in seen.tools] == ["f", "f"]


@pytest.mark.parametrize("delta", [{"finish_reason": "ERROR", "error": "boom"}, {"finish_reason": "TIMEOUT"}])
def test_an_end_that_failed_is_a_fault(delta: dict[str, Any]) -> None:
    block = streamed(STREAM + event("message-end", delta=delta))
    assert isinstance(block.events[-1], Faulted)
    assert block.events[-1].failure.message
    assert not any(isinstance(each, Finished) for each in block.events)


def test_an_end_mark_without_an_end_completes_nothing() -> None:
    block = streamed(STREAM + b"data: [DONE]\n\n")
    assert not any(isinstance(each, Finished) for each in block.events)
