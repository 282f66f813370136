"""Requests said in another family's dialect: what arrives, what is dropped by name, what is refused."""

from typing import Any

import pytest

from adapters.wire.registry import codec_for, would_drop
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_COMPLETIONS
from domain.catalog.tags import MAX_COMPLETION_TOKENS_TAG
from tests.unit.wire.calls import HELLO, call, target, thinker
from tests.unit.wire.translations import (
    CALL,
    CONVERSATION,
    FUNCTION,
    TOOL,
    encoded,
    refusal,
    to_anthropic,
    to_chat,
)

# -- openai.chat -> anthropic.messages ----------------------------------------------------------------


def test_a_conversation_with_tools_reads_like_anthropics_own() -> None:
    body, dropped = to_anthropic(messages=CONVERSATION, tools=[TOOL], max_tokens=50)
    assert body["system"] == "be kind"
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "well"},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "c2", "name": "f", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": '{"r":2}'},
                {"type": "tool_result", "tool_use_id": "c2", "content": "plain"},
                {"type": "text", "text": "and?"},
            ],
        },
    ]
    assert body["tools"] == [{"name": "f", "description": "does f", "input_schema": FUNCTION["parameters"]}]
    assert body["max_tokens"] == 50 and dropped == ()


def test_anthropic_always_gets_a_limit() -> None:
    assert to_anthropic()[0]["max_tokens"] == 4096
    assert to_anthropic(target(max_output_tokens=8000))[0]["max_tokens"] == 8000
    assert to_anthropic(max_completion_tokens=7, max_tokens=9)[0]["max_tokens"] == 7


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
    ],
)
def test_the_choice_of_a_tool_is_translated(choice: Any, expected: dict[str, Any]) -> None:
    body, _ = to_anthropic(tools=[TOOL], tool_choice=choice)
    assert body["tool_choice"] == expected


def test_one_tool_at_a_time_and_a_limited_choice_are_translated() -> None:
    body, _ = to_anthropic(tools=[TOOL], parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}}
    other = {"type": "function", "function": {"name": "g"}}
    body, _ = to_anthropic(tools=[TOOL, other], tool_choice=allowed)
    assert [tool["name"] for tool in body["tools"]] == ["f"]


def test_images_files_and_cache_marks_are_translated() -> None:
    parts = [
        {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
    ]
    body, _ = to_anthropic(messages=[{"role": "user", "content": parts}])
    text, inline, linked, document = body["messages"][0]["content"]
    assert text["cache_control"] == {"type": "ephemeral"}
    assert inline["source"] == {"type": "base64", "media_type": "image/jpeg", "data": "QUJD"}
    assert linked["source"] == {"type": "url", "url": "https://example.org/a.png"}
    assert document["title"] == "a.pdf" and document["source"]["media_type"] == "application/pdf"


def test_what_anthropic_does_not_know_is_dropped_by_name() -> None:
    body, dropped = to_anthropic(
        seed=1, logit_bias={"1": 2}, user="u", temperature=1.5, top_p=None, store=None
    )
    assert dropped == ("logit_bias", "seed", "temperature")
    assert body["temperature"] == 1.0 and body["metadata"] == {"user_id": "u"}
    asked = call(seed=1, temperature=1)
    assert would_drop(OPENAI_CHAT, ANTHROPIC_MESSAGES, asked.request.fields) == ("seed",)


@pytest.mark.parametrize("arguments", ["{", "[" * 5_000])
def test_several_choices_sound_and_broken_arguments_are_refused(arguments: str) -> None:
    assert "one choice" in refusal(ANTHROPIC_MESSAGES, call(n=2))
    sound = [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]
    assert "input_audio" in refusal(ANTHROPIC_MESSAGES, call(messages=[{"role": "user", "content": sound}]))
    broken = {**CALL, "function": {"name": "f", "arguments": arguments}}
    said = [*HELLO, {"role": "assistant", "tool_calls": [broken]}]
    assert "not JSON" in refusal(ANTHROPIC_MESSAGES, call(messages=said))
    assert "cannot be translated" in refusal(ANTHROPIC_MESSAGES, call(tools=[{"function": {}}]))


def test_structured_output_uses_anthropics_own_format() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    body, dropped = to_anthropic(response_format=form)
    assert body["output_config"]["format"] == {"type": "json_schema", "schema": {"type": "object"}}
    assert dropped == ()
    assert to_anthropic(response_format={"type": "json_object"})[1] == ("response_format",)


def test_an_effort_becomes_a_budget_that_leaves_room_for_the_answer() -> None:
    body, dropped = to_anthropic(thinker(), reasoning_effort="medium", temperature=0.5, max_tokens=20_000)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 4096}
    assert "temperature" not in body and dropped == ("temperature",)
    assert (
        to_anthropic(thinker(), reasoning_effort="high", max_tokens=4096)[0]["thinking"]["budget_tokens"]
        == 2048
    )
    assert to_anthropic(thinker(), reasoning_effort="low", max_tokens=100)[1] == ("reasoning_effort",)
    assert to_anthropic(reasoning_effort="low", max_tokens=9000)[1] == ("reasoning_effort",)
    forced = to_anthropic(
        thinker(), reasoning_effort="low", tools=[TOOL], tool_choice="required", max_tokens=9000
    )
    assert forced[1] == ("reasoning_effort",)


@pytest.mark.parametrize(
    ("model", "adaptive"),
    [
        ("claude-opus-4-6", True),
        ("claude-opus-4-10-20270101", True),
        ("claude-sonnet-5", True),
        ("claude-sonnet-4-5-20250929", False),
        ("claude-sonnet-4-20250514", False),
        ("claude-3-7-sonnet-latest", False),
    ],
)
def test_newer_models_think_adaptively(model: str, adaptive: bool) -> None:
    able = thinker().offering.capabilities
    body, _ = to_anthropic(target(model, capabilities=able), reasoning_effort="low", max_tokens=9000)
    assert body["thinking"]["type"] == ("adaptive" if adaptive else "enabled")


def test_a_continuation_does_not_end_in_white_space() -> None:
    asked = call(continue_from="so far \n")
    body, _ = encoded(ANTHROPIC_MESSAGES, asked)
    assert body["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "so far"}]}


def test_foreign_thinking_does_not_reach_anthropic() -> None:
    said = [*HELLO, {"role": "assistant", "content": "x", "reasoning_content": "hm"}, *HELLO]
    body, dropped = to_anthropic(messages=said)
    assert dropped == ("messages.reasoning_content",)
    assert body["messages"][1]["content"] == [{"type": "text", "text": "x"}]


# -- anthropic.messages -> openai.chat ----------------------------------------------------------------


def test_messages_of_anthropic_read_like_a_chat() -> None:
    said = [
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "well"},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c1",
                    "is_error": True,
                    "content": [{"type": "text", "text": "no"}],
                },
                {"type": "text", "text": "so?"},
            ],
        },
    ]
    system = [{"type": "text", "text": "be kind"}, {"type": "text", "text": "be brief"}]
    body, dropped = to_chat(
        messages=said, system=system, stop_sequences=["x"], top_k=3, metadata={"user_id": "u"}
    )
    assert body["messages"] == [
        {"role": "system", "content": "be kind\n\nbe brief"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "well", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "Error: no"},
        {"role": "user", "content": "so?"},
    ]
    assert body["stop"] == ["x"] and body["user"] == "u" and body["max_tokens"] == 100
    assert dropped == ("top_k", "messages.thinking")


def test_pictures_in_tool_results_follow_as_a_user_message() -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
    result = {
        "type": "tool_result",
        "tool_use_id": "c1",
        "content": [{"type": "text", "text": "see"}, picture],
    }
    body, _ = to_chat(messages=[{"role": "user", "content": [result]}])
    assert body["messages"][0] == {"role": "tool", "tool_call_id": "c1", "content": "see"}
    assert body["messages"][1]["content"][0]["image_url"]["url"] == "data:image/png;base64,QUJD"


def test_tools_and_their_choice_are_translated_back() -> None:
    tools = [
        {"name": "f", "input_schema": {"type": "object"}},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
    body, dropped = to_chat(tools=tools, tool_choice={"type": "any", "disable_parallel_tool_use": True})
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f"]
    assert body["tool_choice"] == "required" and body["parallel_tool_calls"] is False
    assert dropped == ("tools.web_search_20250305",)
    named, _ = to_chat(tools=tools[:1], tool_choice={"type": "tool", "name": "f"})
    assert named["tool_choice"] == {"type": "function", "function": {"name": "f"}}


def test_the_limit_has_the_name_the_provider_knows() -> None:
    assert to_chat()[0]["max_tokens"] == 100
    assert to_chat(thinker())[0]["max_completion_tokens"] == 100
    assert to_chat(target(tags=frozenset({MAX_COMPLETION_TOKENS_TAG})))[0]["max_completion_tokens"] == 100


def test_thinking_becomes_an_effort_where_the_model_reasons() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    assert to_chat(thinker(), thinking=thinking)[0]["reasoning_effort"] == "medium"
    body, dropped = to_chat(thinking=thinking)
    assert "reasoning_effort" not in body and dropped == ("thinking",)
    assert to_chat(thinker(), output_config={"effort": "max"})[0]["reasoning_effort"] == "high"


def test_a_stream_of_another_family_asks_for_usage() -> None:
    body, _ = to_chat(stream=True)
    assert body["stream"] is True and body["stream_options"] == {"include_usage": True}


def test_a_schema_of_anthropic_becomes_a_response_format() -> None:
    wanted = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    body, dropped = to_chat(output_config=wanted)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"} and dropped == ()


# -- text completions ---------------------------------------------------------------------------------


def test_a_text_completion_becomes_a_chat() -> None:
    asked = call(OPENAI_COMPLETIONS, {"model": "m", "prompt": ["say"], "max_tokens": 4, "logprobs": 1})
    body, dropped = encoded(OPENAI_CHAT, asked)
    assert body == {"model": "m", "messages": [{"role": "user", "content": "say"}], "max_tokens": 4}
    assert dropped == ("logprobs",)


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1], [2]]])
def test_several_prompts_and_tokens_cannot_be_chatted(prompt: Any) -> None:
    assert "one prompt" in refusal(OPENAI_CHAT, call(OPENAI_COMPLETIONS, {"model": "m", "prompt": prompt}))


# -- anthropic.messages verbatim ----------------------------------------------------------------------


def test_within_the_family_nothing_but_the_model_changes() -> None:
    body = b'{"model":"m","max_tokens":5, "messages":[{"role":"user","content":"x"}],"new":{ "a":1}}'
    codec = codec_for(ANTHROPIC_MESSAGES, ANTHROPIC_MESSAGES)
    asked = call(ANTHROPIC_MESSAGES, body)
    assert codec.request(asked).body is asked.request.body
    renamed = codec.request(call(ANTHROPIC_MESSAGES, body, to=target("real"))).body
    assert renamed == body.replace(b'"m"', b'"real"').replace(b", ", b",")


def test_unsigned_thinking_of_another_family_is_taken_out() -> None:
    signed = {"type": "thinking", "thinking": "a", "signature": "s"}
    unsigned = {"type": "thinking", "thinking": "b", "signature": ""}
    text = {"type": "text", "text": "x"}
    said = [*HELLO, {"role": "assistant", "content": [signed, unsigned, text]}, *HELLO]
    body, dropped = encoded(ANTHROPIC_MESSAGES, call(ANTHROPIC_MESSAGES, messages=said))
    assert body["messages"][1]["content"] == [signed, text] and dropped == ()
