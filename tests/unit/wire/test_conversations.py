"""Turns of one conversation have one fingerprint, other conversations another."""

import json
from typing import Any

import pytest

from adapters.wire.conversations import BODY_BYTES_MAX, fingerprint
from adapters.wire.heads import DialectReader
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)

CLAUDE_USER = (
    "user_0a1b_account_11112222-3333-4444-5555-666677778888_session_9f8e7d6c-aaaa-bbbb-cccc-ddddeeeeffff"
)


def print_of(dialect: str, **body: Any) -> bytes:
    return fingerprint(dialect, json.dumps({"model": "m", **body}).encode())


def chat(*said: Any, **more: Any) -> bytes:
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": content} for place, content in enumerate(said)]
    return print_of(OPENAI_CHAT, messages=[{"role": "system", "content": "be brief"}, *messages], **more)


def test_later_turns_have_the_fingerprint_of_the_first() -> None:
    first = chat("hello", tools=[{"type": "function", "function": {"name": "look"}}])
    later = chat("hello", "hi", "and now?", tools=[{"type": "function", "function": {"name": "look"}}])

    assert first == later and len(first) == 17
    assert chat("hello") == chat("hello", "hi", "more", temperature=0.3, stream=True)


@pytest.mark.parametrize("other", [chat("other"), chat("hello", tools=[{"type": "function"}])])
def test_another_beginning_is_another_conversation(other: bytes) -> None:
    assert chat("hello") != other
    assert print_of(OPENAI_CHAT, messages=[{"role": "user", "content": "hello"}]) != chat("hello")


def test_a_mark_for_caching_that_moves_on_changes_nothing() -> None:
    text = {"type": "text", "text": "hello"}
    marked = {**text, "cache_control": {"type": "ephemeral"}}
    picture = {"type": "image", "source": {"data": "aGk="}}

    def ask(*content: Any, more: tuple[Any, ...] = ()) -> bytes:
        said = [{"role": "user", "content": list(content)}, *more]
        return print_of(ANTHROPIC_MESSAGES, system=[marked], messages=said, max_tokens=5)

    first = ask({**picture, "cache_control": {"type": "ephemeral"}}, marked)
    assert first == ask(picture, text, more=({"role": "assistant", "content": "hi"},))
    assert first != ask({**picture, "source": {"data": "bm8="}}, text)
    one = print_of(ANTHROPIC_MESSAGES, messages=[{"role": "user", "content": "hello"}])
    assert one == print_of(ANTHROPIC_MESSAGES, messages=[{"role": "user", "content": [marked]}])


def test_every_dialect_of_conversations_has_one_and_others_have_none() -> None:
    gemini = [{"role": "user", "parts": [{"text": "hello"}]}]
    answer = [{"role": "model", "parts": [{"text": "hi"}]}, {"role": "user", "parts": [{"text": "on"}]}]
    instruction = {"parts": [{"text": "be brief"}]}
    first = print_of(GEMINI_GENERATE, contents=gemini, systemInstruction=instruction)
    assert first and first == print_of(
        GEMINI_GENERATE, contents=gemini + answer, systemInstruction=instruction
    )
    asked = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}]
    result = [{"type": "function_call_output", "call_id": "1", "output": "3"}]
    first = print_of(OPENAI_RESPONSES, input=asked, instructions="be brief")
    assert first and first == print_of(OPENAI_RESPONSES, input=asked + result, instructions="be brief")
    assert print_of(OPENAI_RESPONSES, input="hello")
    assert print_of(OPENAI_EMBEDDINGS, input="hello") == b""
    assert print_of(OPENAI_RESPONSES, input="go on", previous_response_id="resp_1") == b""


def test_an_id_in_the_body_comes_before_its_beginning() -> None:
    named = chat("hello", prompt_cache_key="thread-1")
    assert named == chat("quite another beginning", prompt_cache_key="thread-1")
    assert named != chat("hello", prompt_cache_key="thread-2")
    assert print_of(OPENAI_RESPONSES, input="go on", previous_response_id="r", prompt_cache_key="thread-1")


def test_an_agents_user_id_names_its_session_and_a_persons_does_not() -> None:
    def ask(text: str, user_id: str) -> bytes:
        said = [{"role": "user", "content": text}]
        return print_of(ANTHROPIC_MESSAGES, messages=said, metadata={"user_id": user_id})

    assert ask("a", CLAUDE_USER) == ask("b", CLAUDE_USER) != ask("a", CLAUDE_USER[:-1] + "0")
    as_json = json.dumps({"device_id": "d", "account_uuid": "a", "session_id": "9f8e"})
    assert ask("a", as_json) == ask("b", as_json)
    assert ask("a", "person-7") != ask("b", "person-7")
    assert ask("a", "{not json") == ask("a", "person-7")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"messages":7}', b'{"messages":[]}', b'{"messages":[[1]]}', b'{"messages":null}', b"{"],
)
def test_what_is_no_conversation_is_none_and_never_an_error(body: bytes) -> None:
    assert isinstance(fingerprint(OPENAI_CHAT, body), bytes)


def test_of_large_bodies_only_the_beginning_counts() -> None:
    huge = ["x" * (BODY_BYTES_MAX // 2)] * 3
    assert chat(*huge) == chat(*huge, "more", "and more")
    long_start = "y" * 100_000
    assert chat(long_start + "a") != chat(long_start + "b")


def test_the_reader_offers_it() -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
    reader = DialectReader()
    assert reader.fingerprint(reader.read(OPENAI_CHAT, body)) == fingerprint(OPENAI_CHAT, body)
