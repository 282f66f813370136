"""What real clients stumbled over, each as the smallest request that showed it."""

import json
import re

import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import sse_events

THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


def test_a_mark_on_the_first_text_does_not_cut_a_streamed_message_in_two(stack: Stack) -> None:
    """Codex showed two messages, the first of them one word."""
    body = {
        "model": "gamma/think",
        "input": "hello",
        "stream": True,
        "include": ["reasoning.encrypted_content"],
    }
    with stack.client() as http:
        final = sse_events(http.post("/v1/responses", json=body).text)[-1]["response"]
    assert [item["type"] for item in final["output"]] == ["reasoning", "message"]
    assert final["output"][0]["encrypted_content"]


def test_streamed_thinking_of_gemini_keeps_its_mark_for_callers_of_messages(stack: Stack) -> None:
    body = {
        "model": "gamma/think", "max_tokens": 4000, "stream": True, **THINKING,
        "messages": [{"role": "user", "content": "hello"}],
    }  # fmt: skip
    with stack.client() as http:
        events = sse_events(http.post("/v1/messages", json=body).text)
    blocks = [one["content_block"]["type"] for one in events if one["type"] == "content_block_start"]
    signatures = [one["delta"]["signature"] for one in events if "signature" in one.get("delta", {})]
    assert blocks == ["thinking", "text"] and all(signatures) and signatures


def test_system_messages_within_a_conversation_reach_every_family(stack: Stack) -> None:
    """Claude Code tells of its agents and skills in a message of the role `system`."""
    body = {
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hello"}, {"role": "system", "content": "Be brief."}],
    }
    with stack.client() as http:
        answers = {
            wire: http.post("/v1/messages", json={**body, "model": f"{wire}/small"})
            for wire in ("alpha", "beta", "gamma")
        }
    assert {wire: answer.status_code for wire, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert all("hello" in json.dumps(answer.json()["content"]) for answer in answers.values())
    dropped = [answer.headers.get("x-interchange-dropped") for answer in answers.values()]
    assert dropped == [None, None, "messages.role"], "Gemini knows no system messages but the first"


def test_an_over_long_prompt_is_told_in_the_callers_familys_words(stack: Stack) -> None:
    """Claude Code shortens its conversation when it reads `prompt is too long`, Codex by the code."""
    text = "far too long " * 60_000
    ours = {"model": "assistant", "messages": [{"role": "user", "content": text}], "max_tokens": 10}
    with stack.client() as http:
        chat = http.post("/v1/chat/completions", json=ours)
        messages = http.post("/v1/messages", json=ours)
        contents = {"contents": [{"parts": [{"text": text}]}]}
        gemini = http.post("/v1beta/models/assistant:generateContent", json=contents)
    assert [answer.status_code for answer in (chat, messages, gemini)] == [400] * 3
    assert chat.json()["error"]["code"] == "context_length_exceeded"
    assert chat.json()["error"]["message"].startswith(
        "Input tokens exceed the configured limit of 128000 tokens"
    )
    said = messages.json()["error"]["message"]
    assert re.match(r"prompt is too long: \d+ tokens > 128000 maximum ", said), said
    said = gemini.json()["error"]["message"]
    assert re.match(r"The input token count \(\d+\) exceeds the maximum number of tokens allowed", said), said


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_an_upstreams_overflow_is_told_in_the_callers_words(stack: Stack, wire: str) -> None:
    text = "too long for forty tokens " * 20
    ours = {"model": f"{wire}/ctx40", "messages": [{"role": "user", "content": text}], "max_tokens": 10}
    with stack.client() as http:
        messages = http.post("/v1/messages", json=ours)
    assert messages.status_code == 400
    said = messages.json()["error"]["message"]
    assert said.startswith("prompt is too long (") and "maximum context length is 40 tokens" in said
