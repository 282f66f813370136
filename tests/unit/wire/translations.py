"""Translated bodies, for the tests of translations."""

import json
from typing import Any

import pytest

from adapters.wire.registry import codec_for
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT
from domain.llm.failures import FailureKind
from domain.routing.target import Target
from tests.unit.wire.calls import call

FUNCTION = {"name": "f", "description": "does f", "parameters": {"type": "object", "properties": {"a": {}}}}
TOOL = {"type": "function", "function": FUNCTION}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}

CONVERSATION = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "well", "tool_calls": [CALL, {**CALL, "id": "c2"}]},
    {"role": "tool", "tool_call_id": "c1", "content": '{"r":2}'},
    {"role": "tool", "tool_call_id": "c2", "content": "plain"},
    {"role": "user", "content": "and?"},
]


def encoded(upstream: str, asked: UpstreamCall) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = codec_for(asked.request.dialect, upstream).request(asked)
    return json.loads(found.body), found.dropped


def to_anthropic(to: Target | None = None, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    return encoded(ANTHROPIC_MESSAGES, call(to=to, **fields))


def to_gemini(to: Target | None = None, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    return encoded(GEMINI_GENERATE, call(to=to, **fields))


def to_chat(to: Target | None = None, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    return encoded(OPENAI_CHAT, call(ANTHROPIC_MESSAGES, to=to, **fields))


def refusal(upstream: str, asked: UpstreamCall) -> str:
    with pytest.raises(UpstreamFailed) as caught:
        codec_for(asked.request.dialect, upstream).request(asked)
    assert caught.value.failure.kind is FailureKind.CALLER_FAULT
    return caught.value.failure.message
