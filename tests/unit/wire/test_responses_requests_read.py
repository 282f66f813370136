"""What policies are told of a request of the Responses API."""

import json
from typing import Any

import pytest

from adapters.wire.heads import DialectReader
from application.ports.wire import OPENAI_RESPONSES
from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest


def read(**fields: Any) -> LlmRequest:
    body = {"model": "m", "input": "hello", **fields}
    return DialectReader().read(OPENAI_RESPONSES, json.dumps(body).encode())


def test_a_plain_request_is_read() -> None:
    request = read(max_output_tokens=50, stream=True)
    assert (request.dialect, request.model, request.max_output_tokens) == (OPENAI_RESPONSES, "m", 50)
    assert request.stream and request.include_usage
    assert request.needs == Capability.TEXT | Capability.STREAMING
    assert request.fields == {"model", "input", "max_output_tokens", "stream"}


def test_an_answer_is_never_continued_by_another() -> None:
    assert not read().plain_text


def test_state_and_tier_are_read() -> None:
    request = read(previous_response_id="resp_1", store=True, background=True, service_tier="flex")
    assert request.previous_response_id == "resp_1"
    assert request.store is True and request.background
    assert request.service_tier == "flex"
    assert read(service_tier="auto").service_tier == ""
    assert read().store is None


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({"tools": [{"type": "function", "name": "f", "parameters": {}}]}, Capability.FUNCTION_CALLING),
        ({"text": {"format": {"type": "json_schema"}}}, Capability.STRUCTURED_OUTPUT),
        ({"reasoning": {"effort": "low"}}, Capability.REASONING),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, Capability.VISION),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, Capability.AUDIO_IN),
        (
            {
                "input": [
                    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]}
                ]
            },
            Capability.VISION,
        ),
    ],
)
def test_what_a_body_shows_is_needed(fields: dict[str, Any], needed: Capability) -> None:
    assert read(**fields).needs == Capability.TEXT | needed


@pytest.mark.parametrize("reasoning", [{"summary": "auto"}, {"effort": "none"}, None])
def test_a_wish_for_no_reasoning_needs_none(reasoning: Any) -> None:
    assert read(reasoning=reasoning).needs == Capability.TEXT


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": []}, "input"),
        ({"input": ["text"]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "input[0].content[0].type"),
        ({"model": ""}, "model"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"stream": "yes"}, "stream"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort"),
        ({"background": True, "store": False}, "background"),
    ],
)
def test_a_bad_value_is_refused_by_its_path(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "item",
    [
        {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "x", "stderr": ""}]},
        {"type": "something_new", "content": [{"no": "type"}]},
        {"id": "msg_1"},
    ],
)
def test_items_of_other_kinds_pass_unread(item: dict[str, Any]) -> None:
    assert read(input=[item]).needs == Capability.TEXT


def test_a_continued_answer_needs_no_input() -> None:
    assert read(input=None, previous_response_id="resp_1").previous_response_id == "resp_1"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (
            {"tools": [{"type": "web_search"}, {"type": "mcp"}]},
            ("tools[0].type", "web_search"),
        ),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}, None),
        ({"tools": [{"type": "custom", "name": "c"}, {"type": "local_shell"}, {"type": "namespace"}]}, None),
        ({"prompt": {"id": "pmpt_1"}}, ("prompt", "prompt")),
        ({"conversation": "conv_1"}, ("conversation", "conversation")),
        ({"prompt": None}, None),
    ],
)
def test_what_only_a_provider_of_this_api_can_do_is_named(
    fields: dict[str, Any], found: tuple[str, str] | None
) -> None:
    assert read(**fields).native_only == found
