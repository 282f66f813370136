"""What is read from a caller's body, and what is refused with the path of the field."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.heads import NESTING_MAX, DialectReader, nesting_exceeds
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
)
from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest, Operation

HELLO = [{"role": "user", "content": "hello"}]
READER = DialectReader()


def read(dialect: str, **body: Any) -> LlmRequest:
    return READER.read(dialect, json.dumps(body).encode())


def chat(**more: Any) -> LlmRequest:
    return read(OPENAI_CHAT, **{"model": "m", "messages": HELLO, **more})


def messages(**more: Any) -> LlmRequest:
    return read(ANTHROPIC_MESSAGES, **{"model": "m", "max_tokens": 5, "messages": HELLO, **more})


def refused(dialect: str, body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        READER.read(dialect, body)
    return caught.value


def test_a_plain_chat_request_is_read_and_its_body_left_alone() -> None:
    body = b'{ "model":"m", "messages":[{"role":"user","content":"hi"}], "future_field": 1 }'
    request = READER.read(OPENAI_CHAT, body)
    assert request.body is body
    assert (request.operation, request.model, request.stream) == (Operation.CHAT, "m", False)
    assert request.fields == {"model", "messages", "future_field"}
    assert (request.needs, request.plain_text, request.choices) == (Capability.TEXT, True, 1)


@pytest.mark.parametrize(
    ("more", "need"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, Capability.FUNCTION_CALLING),
        ({"functions": [{"name": "f"}]}, Capability.FUNCTION_CALLING),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, Capability.STRUCTURED_OUTPUT),
        ({"response_format": {"type": "json_object"}}, Capability.STRUCTURED_OUTPUT),
        ({"reasoning_effort": "low"}, Capability.REASONING),
        ({"thinking": {"type": "enabled"}}, Capability.REASONING),
        ({"modalities": ["text", "audio"]}, Capability.AUDIO_OUT),
    ],
)
def test_what_a_chat_body_asks_for_becomes_a_need(more: dict[str, Any], need: Capability) -> None:
    request = chat(**more)
    assert need in request.needs
    assert not request.plain_text


@pytest.mark.parametrize(
    "more",
    [
        {"tools": []},
        {"tools": None},
        {"response_format": {"type": "text"}},
        {"reasoning_effort": "none"},
        {"thinking": {"type": "disabled"}},
        {"modalities": ["text"]},
        {"n": None, "stream": None, "max_tokens": None},
    ],
)
def test_a_field_that_asks_for_nothing_is_no_need(more: dict[str, Any]) -> None:
    assert (chat(**more).needs, chat(**more).plain_text) == (Capability.TEXT, True)


def test_parts_show_images_and_audio() -> None:
    parts = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "u"}}]
    assert Capability.VISION in chat(messages=[{"role": "user", "content": parts}]).needs
    sound = [{"type": "input_audio", "input_audio": {}}]
    assert Capability.AUDIO_IN in chat(messages=[{"role": "user", "content": sound}]).needs


def test_an_image_inside_an_anthropic_tool_result_needs_vision() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {}}]}
    assert Capability.VISION in messages(messages=[{"role": "user", "content": [result]}]).needs


def test_output_limits_choices_and_usage_wishes_are_read() -> None:
    request = chat(
        max_tokens=5, max_completion_tokens=7, n=3, stream=True, stream_options={"include_usage": True}
    )
    assert (request.max_output_tokens, request.choices) == (7, 3)
    assert request.stream and request.include_usage and not request.plain_text
    assert Capability.STREAMING in request.needs


def test_messages_of_anthropic_always_get_their_usage() -> None:
    request = messages(stream=True, thinking={"type": "adaptive"})
    assert request.include_usage and request.max_output_tokens == 5
    assert Capability.REASONING in request.needs


def test_counting_tokens_is_an_operation_of_its_own() -> None:
    assert read(ANTHROPIC_COUNT_TOKENS, model="m", messages=HELLO).operation is Operation.COUNT_TOKENS


def test_completions_count_every_prompt_and_every_draw() -> None:
    assert read(OPENAI_COMPLETIONS, model="m", prompt="x").choices == 1
    assert read(OPENAI_COMPLETIONS, model="m", prompt=["x", "y"], n=2, best_of=4).choices == 8
    assert read(OPENAI_COMPLETIONS, model="m", prompt=[1, 2, 3]).choices == 1


def test_embeddings_take_texts_and_token_lists() -> None:
    for given_input in ("x", ["x", "y"], [1, 2], [[1], [2]]):
        request = read(OPENAI_EMBEDDINGS, model="m", input=given_input)
        assert request.needs is Capability.EMBEDDINGS


@pytest.mark.parametrize(
    ("dialect", "body", "param"),
    [
        (OPENAI_CHAT, b"", "body"),
        (OPENAI_CHAT, b"[]", "body"),
        (OPENAI_CHAT, b'"x"', "body"),
        (OPENAI_CHAT, b'{"model":"m"', "body"),
        (OPENAI_CHAT, b'{"model":"\xff"}', "body"),
        (OPENAI_CHAT, b'{"messages":[{"role":"user"}]}', "model"),
        (OPENAI_CHAT, b'{"model":"m"}', "messages"),
        (OPENAI_CHAT, b'{"model":5,"messages":[]}', "model"),
        (OPENAI_CHAT, b'{"model":"","messages":[]}', "model"),
        (OPENAI_CHAT, b'{"model":"m","messages":[]}', "messages"),
        (OPENAI_CHAT, b'{"model":"m","messages":[{"content":"x"}]}', "messages[0].role"),
        (
            OPENAI_CHAT,
            b'{"model":"m","messages":[{"role":"user","content":[{}]}]}',
            "messages[0].content[0].type",
        ),
        (OPENAI_CHAT, b'{"model":"m","messages":[{"role":"user"}],"n":0}', "n"),
        (OPENAI_CHAT, b'{"model":"m","messages":[{"role":"user"}],"stream":"yes"}', "stream"),
        (ANTHROPIC_MESSAGES, b'{"model":"m","messages":[{"role":"user"}]}', "max_tokens"),
        (OPENAI_COMPLETIONS, b'{"model":"m","prompt":{}}', "prompt"),
        (OPENAI_EMBEDDINGS, b'{"model":"m","input":[1,"x"]}', "input[1]"),
        (OPENAI_EMBEDDINGS, b'{"model":"m","input":""}', "input"),
    ],
)
def test_a_wrong_body_is_refused_with_the_path_of_the_field(dialect: str, body: bytes, param: str) -> None:
    error = refused(dialect, body)
    assert error.param == param
    assert param in error.message or param == "body"


def test_the_path_reaches_past_the_first_message() -> None:
    body = {"model": "m", "messages": [*HELLO, {"role": "user", "content": [{"type": 1}]}]}
    assert refused(OPENAI_CHAT, json.dumps(body).encode()).param == "messages[1].content[0].type"


def test_deep_nesting_is_refused_at_any_depth() -> None:
    for depth in (NESTING_MAX + 1, 5_000, 200_000):
        body = b'{"model":"m","messages":[{"role":"user"}],"x":' + b"[" * depth + b"]" * depth + b"}"
        assert "nested" in refused(OPENAI_CHAT, body).message or "JSON" in refused(OPENAI_CHAT, body).message


def test_many_shallow_brackets_and_brackets_in_texts_are_fine() -> None:
    text = '[{"\\' * 100
    chat(messages=[{"role": "user", "content": text}] * 100, tools=[{"a": [[]]}] * 100)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


_JSON = st.recursive(
    st.none() | st.text(alphabet='ab[]{}"\\', max_size=6) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='k]"', max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(value=_JSON, levels=st.integers(0, 8))
def test_nesting_is_counted_exactly(value: Any, levels: int) -> None:
    assert nesting_exceeds(json.dumps(value).encode(), levels) == (_depth(value) > levels)


@given(body=st.binary(max_size=60))
def test_no_bytes_bring_anything_but_a_request_or_a_refusal(body: bytes) -> None:
    try:
        READER.read(OPENAI_CHAT, body)
    except InvalidRequest:
        pass
