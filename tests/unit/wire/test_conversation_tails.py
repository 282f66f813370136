"""The last tool calls of a conversation, whichever dialect it is in."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.conversation_tails import WireTails
from adapters.wire.heads import DialectReader
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)
from domain.errors import InvalidRequest
from domain.guards.conversation_tail import ConversationTail

Step = tuple[str, Any, str]
"""(tool, arguments, result); a plain text stands for the user's word."""
DIALECTS = (OPENAI_CHAT, ANTHROPIC_MESSAGES, OPENAI_RESPONSES, GEMINI_GENERATE)


def conversation(dialect: str, *steps: Step | str) -> dict[str, Any]:
    """The same conversation in any dialect."""
    turns = [part for number, step in enumerate(steps) for part in _WRITE[dialect](number, step)]
    if dialect == GEMINI_GENERATE:
        return {"contents": turns}
    if dialect == OPENAI_RESPONSES:
        return {"model": "m", "input": turns}
    return {"model": "m", "max_tokens": 9, "messages": turns}


def _chat(number: int, step: Step | str) -> list[dict[str, Any]]:
    if isinstance(step, str):
        return [{"role": "user", "content": step}]
    name, arguments, result = step
    function = {"name": name, "arguments": json.dumps(arguments)}
    return [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": f"c{number}", "content": result},
    ]


def _anthropic(number: int, step: Step | str) -> list[dict[str, Any]]:
    if isinstance(step, str):
        return [{"role": "user", "content": step}]
    name, arguments, result = step
    use = {"type": "tool_use", "id": f"c{number}", "name": name, "input": arguments}
    note = {"type": "text", "text": "a reminder of the agent's own"}
    answer = {"type": "tool_result", "tool_use_id": f"c{number}", "content": result}
    return [{"role": "assistant", "content": [use]}, {"role": "user", "content": [answer, note]}]


def _responses(number: int, step: Step | str) -> list[dict[str, Any]]:
    if isinstance(step, str):
        return [{"role": "user", "content": step}]
    name, arguments, result = step
    called = {"type": "function_call", "call_id": f"c{number}", "name": name}
    return [
        {"type": "reasoning", "id": f"r{number}", "summary": []},
        {**called, "arguments": json.dumps(arguments)},
        {"type": "function_call_output", "call_id": f"c{number}", "output": result},
    ]


def _gemini(_: int, step: Step | str) -> list[dict[str, Any]]:
    if isinstance(step, str):
        return [{"role": "user", "parts": [{"text": step}]}]
    name, arguments, result = step
    return [
        {"role": "model", "parts": [{"functionCall": {"name": name, "args": arguments}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": name, "response": {"result": result}}}]},
    ]


_WRITE = {
    OPENAI_CHAT: _chat,
    ANTHROPIC_MESSAGES: _anthropic,
    OPENAI_RESPONSES: _responses,
    GEMINI_GENERATE: _gemini,
}


def tail(
    dialect: str,
    body: dict[str, Any],
    *,
    calls_max: int = 20,
    turns_max: int = 20,
    skipped: frozenset[str] = frozenset(),
) -> ConversationTail | None:
    request = DialectReader().read(dialect, json.dumps(body).encode())
    return WireTails().tail(request, calls_max=calls_max, turns_max=turns_max, skipped=skipped)


def seen(dialect: str, *steps: Step | str, **options: Any) -> ConversationTail:
    found = tail(dialect, conversation(dialect, *steps), **options)
    assert found is not None
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
def test_equal_calls_are_equal_however_they_are_spelt(dialect: str) -> None:
    found = seen(
        dialect,
        "go",
        ("look", {"a": 1, "b": [2, {"c": None}]}, "x"),
        ("look", {"b": [2, {"c": None}], "a": 1}, "x"),
        ("look", {"a": 2}, "x"),
        ("find", {"a": 2}, "y"),
    )

    first, same, other, another = found.calls
    assert [call.name for call in found.calls] == ["look", "look", "look", "find"]
    assert first.digest == same.digest
    assert len({first.digest, other.digest, another.digest}) == 3
    assert first.result == same.result == other.result != another.result


@pytest.mark.parametrize("dialect", DIALECTS)
def test_places_and_turns_rise_and_the_users_word_begins_the_count_anew(dialect: str) -> None:
    found = seen(dialect, "go", ("a", {}, "x"), "and now", ("b", {}, "x"), ("c", {}, "x"))

    assert [call.name for call in found.calls] == ["a", "b", "c"]
    assert sorted(found.calls, key=lambda call: call.place) == list(found.calls)
    assert [call.turn for call in found.calls] == [-3, -2, -1]
    assert len(found.turns) == 2, "those of b and c"
    assert found.turns[0] > found.calls[0].place
    body = conversation(dialect, "go", ("a", {}, "x"), "and now", ("b", {}, "x"), ("c", {}, "x"))
    assert found.messages == len(body.get("messages") or body.get("input") or body["contents"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_only_the_end_is_looked_at_and_some_tools_are_left_out(dialect: str) -> None:
    steps: list[Step] = [("a" if number % 2 else "wait", {"n": number}, "x") for number in range(20)]

    found = seen(dialect, *steps, calls_max=3, turns_max=2, skipped=frozenset({"wait"}))

    assert [call.name for call in found.calls] == ["a"] * 3
    assert len(found.turns) == 2
    assert found.calls[-1].digest == seen(dialect, ("a", {"n": 19}, "x")).calls[0].digest


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_conversation_without_calls_is_not_read(dialect: str) -> None:
    assert tail(dialect, conversation(dialect, "hello", "are you there?")) is None


def test_calls_at_once_are_one_turn_and_find_their_own_results() -> None:
    calls = [
        {"id": name, "type": "function", "function": {"name": "look", "arguments": json.dumps({"at": name})}}
        for name in ("one", "two")
    ]
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "two", "content": "second"},
        {"role": "tool", "tool_call_id": "one", "content": "first"},
    ]
    found = tail(OPENAI_CHAT, {"model": "m", "messages": messages})
    assert found is not None

    alone = {
        name: seen(OPENAI_CHAT, ("look", {"at": "x"}, name)).calls[0].result for name in ("first", "second")
    }
    assert [call.result for call in found.calls] == [alone["first"], alone["second"]]
    assert [call.turn for call in found.calls] == [-1, -1]
    assert found.turns == (1,)


def test_gemini_calls_without_ids_find_their_results_in_order() -> None:
    def part(kind: str, **more: Any) -> dict[str, Any]:
        return {kind: {"name": "look", **more}}

    contents = [
        {
            "role": "model",
            "parts": [part("functionCall", args={"n": 1}), part("function_call", args={"n": 2})],
        },
        {
            "role": "user",
            "parts": [
                part("functionResponse", response={"r": 1}),
                part("function_response", response={"r": 2}),
            ],
        },
    ]
    found = tail(GEMINI_GENERATE, {"contents": contents})

    assert found is not None and len(found.calls) == 2
    assert None not in {call.result for call in found.calls}
    assert found.calls[0].result != found.calls[1].result


def test_old_function_calls_and_free_text_tools_count_too() -> None:
    called = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}
    answered = {"role": "function", "name": "f", "content": "x"}
    old = tail(OPENAI_CHAT, {"model": "m", "messages": [called, answered, called, answered]})
    patch = {"type": "custom_tool_call", "call_id": "c", "name": "apply", "input": "not { JSON"}
    done = {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"}
    free = tail(OPENAI_RESPONSES, {"model": "m", "input": [patch, done, patch, done]})

    for found in (old, free):
        assert found is not None and len(found.calls) == 2
        assert found.calls[0][:3] == found.calls[1][:3]
        assert found.calls[0].result is not None


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "assistant", "tool_calls": "tool_calls"}],
        [{"role": "assistant", "tool_calls": [{"function": {"name": 7}}]}],
        [{"role": "assistant", "tool_calls": None}, {"role": "tool", "content": {"x": 1}}],
    ],
)
def test_what_makes_no_sense_is_left_to_the_provider(messages: list[dict[str, Any]]) -> None:
    found = tail(OPENAI_CHAT, {"model": "m", "messages": messages})

    assert found is not None and found.calls == ()


def test_bodies_without_conversations_are_left_alone() -> None:
    assert tail(OPENAI_EMBEDDINGS, {"model": "m", "input": '"tool_calls"'}) is None
    assert tail(OPENAI_RESPONSES, {"model": "m", "input": 'what is a "function_call" for?'}) is None


def test_long_arguments_and_results_are_told_apart_by_their_ends() -> None:
    long = "x" * 200_000
    found = seen(
        OPENAI_CHAT, ("a", {"t": long}, long), ("a", {"t": long}, long), ("a", {"t": long + "y"}, "z")
    )

    assert found.calls[0][:3] == found.calls[1][:3]
    assert found.calls[1].digest != found.calls[2].digest
    assert found.calls[1].result != found.calls[2].result


_NAMES = """
role type content tool_calls function_call function custom name arguments input id call_id tool_use_id
tool_call_id output parts functionCall functionResponse args response assistant user model tool tool_use
tool_result function_call_output custom_tool_call reasoning message look {} null
"""
_words = st.sampled_from(_NAMES.split())
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words, inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(turns=st.lists(st.dictionaries(_words, _values, max_size=6), max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_was_read_can_be_judged(dialect: str, turns: list[dict[str, Any]]) -> None:
    names = {OPENAI_RESPONSES: "input", GEMINI_GENERATE: "contents"}
    body = {"model": "m", "max_tokens": 1, names.get(dialect, "messages"): turns}
    try:
        found = tail(dialect, body, calls_max=3, turns_max=3)
    except InvalidRequest:
        return  # the reader refused it

    assert found is None or (len(found.calls) <= 3 and len(found.turns) <= 3)
