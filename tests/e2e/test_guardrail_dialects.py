"""Guardrails on the streams of every dialect, in front of every wire: texts and arguments of tools."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, WIRES

WAYS = ("window", "hold", "redact")
GUARDED = (
    CONFIG.replace(
        "  assistant: {strategy",
        "".join(
            f"  {wire}-{way}: {{targets: [{wire}/small], retries: 0, guardrails: [{way}]}}\n"
            for wire in WIRES
            for way in WAYS
        )
        + "  assistant: {strategy",
        1,
    )
    + "guardrails:\n"
    "  window: {kind: patterns, where: [answers, tool_arguments], deny: [zeus]}\n"
    "  hold: {kind: patterns, where: [answers, tool_arguments], deny: [zeus], stream: hold}\n"
    "  redact: {kind: patterns, where: [answers, tool_arguments], deny: [zeus], action: redact}\n"
)
CALL: Final = [{"role": "user", "content": 'call send {"to": "zeus"}'}]
SEND: Final = {"type": "object", "properties": {"to": {"type": "string"}}}
STREAMS: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "responses": ("/v1/responses", {"input": "On zeus", "store": False}, "response.completed"),
    "completions": ("/v1/completions", {"prompt": "On zeus", "max_tokens": 100}, "[DONE]"),
    "gemini": (
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "On zeus"}]}]},
        "STOP",
    ),
    "chat tool": (
        "/v1/chat/completions",
        {
            "messages": CALL,
            "tools": [{"type": "function", "function": {"name": "send", "parameters": SEND}}],
        },
        "[DONE]",
    ),
    "messages tool": (
        "/v1/messages",
        {"messages": CALL, "max_tokens": 99, "tools": [{"name": "send", "input_schema": SEND}]},
        "message_stop",
    ),
}
"""By what they are: path, body, and what only a finished stream holds."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), GUARDED) as running:
        yield running


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wire", WIRES)
def test_what_is_denied_never_comes_and_nothing_refused_looks_finished(
    stack: Stack, wire: str, way: str, kind: str
) -> None:
    path, body, finished = STREAMS[kind]
    model = f"{wire}-{way}"
    asked = body if "{model}" in path else {**body, "model": model, "stream": True}
    with stack.client() as client:
        answer = client.post(path.format(model=model), json=asked)
    assert answer.status_code == (400 if way == "hold" else 200)
    assert "zeus" not in answer.text
    assert (finished in answer.text) == (way == "redact")
    assert ("guardrail" in answer.text) == (way != "redact")
