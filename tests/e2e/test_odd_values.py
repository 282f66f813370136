"""Well-formed but meaningless: for the provider or the translation to refuse, and never a 500."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.calls import CHAT, GOOD, HELLO, MESSAGES
from tests.e2e.stack import Stack
from tests.e2e.three_wires import WIRES


@pytest.fixture(scope="module")
def client(module_stack: Stack) -> Iterator[httpx.Client]:
    with module_stack.client() as http:
        yield http


@pytest.mark.parametrize("wire", WIRES)
def test_odd_contents_of_a_message_are_never_a_500(client: httpx.Client, wire: str) -> None:
    """What is well-formed but meaningless is for the provider, or the translation, to refuse."""
    odd: list[Any] = [
        {"role": "wizard", "content": "x"},
        {"role": "user", "content": None},
        {"role": "user", "content": 7},
        {"role": "user", "content": {"text": "x"}},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "hologram"}]},
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "user", "content": [{"type": "text", "text": 7}]},
        {"role": "user", "content": [{"type": "image_url"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": 7}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]},
        {"role": "tool", "content": "x"},
        {"role": "tool", "tool_call_id": 7, "content": "x"},
        {"role": "assistant", "content": "x", "tool_calls": 7},
        {"role": "assistant", "tool_calls": [{}]},
        {"role": "assistant", "tool_calls": [{"function": {"name": 7, "arguments": 7}}]},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{"}}]},
    ]
    for message in odd:
        answer = client.post(CHAT, json={"model": f"{wire}/small", "messages": [message]})
        assert answer.status_code in (200, 400), (message, answer.text)
    extras: list[dict[str, Any]] = [
        {"tools": [7]},
        {"tools": [{}]},
        {"tools": [{"type": "function"}]},
        {"tools": [{"type": "function", "function": {"name": 7, "parameters": 7}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": []}}}]},
        {"tool_choice": 7},
        {"tool_choice": {"type": "function"}},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": 7}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": 7}}},
        {"stop": 7},
        {"stop": [7]},
        {"temperature": "hot"},
        {"temperature": 99},
        {"top_p": []},
        {"user": 7},
        {"stream_options": 7},
        {"reasoning_effort": "vast"},
        {"functions": [7]},
        {"logit_bias": 7},
    ]
    for extra in extras:
        answer = client.post(CHAT, json={"model": f"{wire}/small", "messages": HELLO, **extra})
        assert answer.status_code in (200, 400), (extra, answer.text)


@pytest.mark.parametrize("wire", WIRES)
def test_odd_contents_of_anthropics_messages_are_never_a_500(client: httpx.Client, wire: str) -> None:
    odd: list[Any] = [
        {"role": "wizard", "content": "x"},
        {"role": "user", "content": None},
        {"role": "user", "content": 7},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "hologram"}]},
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "user", "content": [{"type": "image"}]},
        {"role": "user", "content": [{"type": "image", "source": 7}]},
        {"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]},
        {"role": "user", "content": [{"type": "tool_result"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": 7, "content": 7}]},
        {"role": "assistant", "content": [{"type": "tool_use"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": 7, "name": 7, "input": 7}]},
        {"role": "assistant", "content": [{"type": "thinking"}]},
    ]
    for message in odd:
        answer = client.post(
            MESSAGES, json={"model": f"{wire}/small", "max_tokens": 20, "messages": [message]}
        )
        assert answer.status_code in (200, 400), (message, answer.text)
    extras: list[dict[str, Any]] = [
        {"system": 7},
        {"system": [7]},
        {"system": [{"type": "text"}]},
        {"tools": [7]},
        {"tools": [{}]},
        {"tools": [{"name": 7, "input_schema": 7}]},
        {"tool_choice": 7},
        {"tool_choice": {"type": "wizard"}},
        {"stop_sequences": 7},
        {"stop_sequences": [7]},
        {"temperature": "hot"},
        {"metadata": 7},
        {"output_config": {"format": {"type": "json_schema", "schema": 7}}},
        {"thinking": {"type": "enabled", "budget_tokens": "much"}},
    ]
    for extra in extras:
        answer = client.post(
            MESSAGES, json={"model": f"{wire}/small", "max_tokens": 20, "messages": HELLO, **extra}
        )
        assert answer.status_code in (200, 400), (extra, answer.text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(sorted(GOOD)),
    field=st.sampled_from(
        ["model", "messages", "prompt", "input", "max_tokens", "tools", "stop", "system", "request",
         "context", "model_requirements", "response_format", "tool_choice", "role", "scopes", "expires_at"]
    ),
    value=json_values,
    wire=st.sampled_from(WIRES),
)  # fmt: skip
def test_any_value_in_any_field_is_answered_in_order(
    client: httpx.Client, path: str, field: str, value: Any, wire: str
) -> None:
    body = {**GOOD[path], field: value}
    if field != "model" and path in (CHAT, MESSAGES):
        body["model"] = f"{wire}/small"
    answer = client.post(path, content=json.dumps(body).encode())
    assert answer.status_code < 500, (path, body, answer.text)
    if answer.status_code >= 400:
        assert answer.json()["error"]["message"]
