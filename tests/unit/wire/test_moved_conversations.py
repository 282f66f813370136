"""What one account signed or encrypted does not reach another that could not read it."""

import json
from typing import Any

import pytest

from adapters.wire.registry import codec_for
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_RESPONSES
from tests.unit.wire.calls import call, target

SIGNED: list[dict[str, Any]] = [
    {"role": "user", "content": "hello"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"},
            {"type": "redacted_thinking", "data": "c2VhbGVk"},
            {"type": "text", "text": "hi"},
        ],
    },
    {"role": "user", "content": "and now?"},
]
ENCRYPTED: list[dict[str, Any]] = [
    {"type": "message", "role": "user", "content": "hello"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbGVk"},
    {"type": "message", "role": "assistant", "content": "hi"},
    {"type": "message", "role": "user", "content": "and now?"},
]


def sent(
    dialect: str, moved_from: str, model: str, body: dict[str, Any]
) -> tuple[dict[str, Any], bytes, bytes]:
    """The body as it reaches the provider: decoded, as bytes, and what the caller's bytes were."""
    asked = call(dialect, {"model": model, **body}, to=target(model, provider="here"))
    encoded = codec_for(dialect, dialect).request(asked._replace(moved_from=moved_from))
    return json.loads(encoded.body), encoded.body, asked.request.body


@pytest.mark.parametrize(
    ("moved_from", "model", "kept"),
    [
        ("", "claude-opus-4-6", True),
        ("aws/anthropic.claude-opus-4-6-v1", "claude-opus-4-6", True),
        ("other/some-model", "claude-opus-4-6", False),
        ("there/claude-opus-4-6", "some-model", False),
        ("there/some-model", "some-model", False),
    ],
)
def test_signed_thinking_stays_where_its_signature_holds(moved_from: str, model: str, kept: bool) -> None:
    body, raw, asked = sent(ANTHROPIC_MESSAGES, moved_from, model, {"max_tokens": 9, "messages": SIGNED})

    kinds = [part["type"] for part in body["messages"][1]["content"]]
    assert kinds == (["thinking", "redacted_thinking", "text"] if kept else ["text"])
    if kept:
        assert raw == asked


@pytest.mark.parametrize(("moved_from", "kept"), [("", True), ("other/gpt-5", False)])
def test_encrypted_reasoning_stays_with_its_account(moved_from: str, kept: bool) -> None:
    body, raw, asked = sent(OPENAI_RESPONSES, moved_from, "gpt-5", {"input": ENCRYPTED})

    kinds = [item["type"] for item in body["input"]]
    assert kinds == (["message", "reasoning", "message", "message"] if kept else ["message"] * 3)
    if kept:
        assert raw == asked
