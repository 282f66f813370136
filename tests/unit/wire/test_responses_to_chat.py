"""Requests of the Responses API as other providers get them."""

import json
from typing import Any

import pytest

from adapters.wire.pivot import Thought
from adapters.wire.responses_to_chat import sealed_call
from adapters.wire.seals import seal
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES
from domain.catalog.tags import KEEPS_ANSWERS_TAG
from domain.routing.target import Target
from tests.unit.wire.calls import call, target, thinker
from tests.unit.wire.translations import encoded, refusal

FUNCTION = {"type": "function", "name": "f", "description": "does f", "parameters": {"type": "object"}}
CALLED = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "17"}
USER = {"role": "user", "content": "hi"}


def asked(to: Target | None = None, **fields: Any) -> Any:
    return call(OPENAI_RESPONSES, {"model": "m", "input": "hello", **fields}, to=to)


def chat(to: Target | None = None, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    return encoded(OPENAI_CHAT, asked(to, **fields))


def messages(*items: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chat(input=list(items))[0]["messages"]
    return found


def test_instructions_and_text_become_messages() -> None:
    body, dropped = chat(instructions="be kind", max_output_tokens=50, temperature=0.5)
    assert body["messages"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hello"},
    ]
    assert (body["max_tokens"], body["temperature"], dropped) == (50, 0.5, ())


def test_what_agents_always_send_is_nothing_lost() -> None:
    _, dropped = chat(
        store=False,
        include=["reasoning.encrypted_content"],
        stream=True,
        stream_options={"include_obfuscation": False},
        truncation="disabled",
        metadata={"a": "b"},
        background=False,
        tool_choice="auto",
    )
    assert dropped == ()


def test_what_has_no_counterpart_is_named() -> None:
    _, dropped = chat(
        top_logprobs=3,
        max_tool_calls=2,
        truncation="auto",
        include=["message.output_text.logprobs"],
        text={"verbosity": "low"},
        reasoning={"effort": "low", "mode": "pro"},
        input=[{**USER, "mood": "glad"}, {"type": "web_search_call", "id": "ws_1", "status": "completed"}],
    )
    assert set(dropped) == {
        "top_logprobs",
        "max_tool_calls",
        "truncation",
        "include.message.output_text.logprobs",
        "text.verbosity",
        "reasoning.mode",
        "reasoning.effort",
        "input.mood",
        "input.web_search_call",
    }


def test_parallel_calls_and_their_outputs_keep_their_places() -> None:
    second = {**CALLED, "id": "fc_2", "call_id": "c2"}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "well"}]}
    found = messages(USER, said, CALLED, second, RESULT, {**RESULT, "call_id": "c2"}, USER)
    assert [message["role"] for message in found] == ["user", "assistant", "tool", "tool", "user"]
    assert found[1]["content"] == "well"
    assert [one["id"] for one in found[1]["tool_calls"]] == ["c1", "c2"]
    assert found[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert [found[2]["tool_call_id"], found[3]["tool_call_id"]] == ["c1", "c2"]


def test_pictures_in_outputs_follow_all_outputs_as_the_users() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "high"}
    seen = {**RESULT, "output": [{"type": "input_text", "text": "see"}, picture]}
    found = messages(USER, CALLED, {**CALLED, "call_id": "c2"}, seen, {**RESULT, "call_id": "c2"})
    assert [message["role"] for message in found] == ["user", "assistant", "tool", "tool", "user"]
    assert found[2]["content"] == "see"
    image = {"url": "data:image/png;base64,AAAA", "detail": "high"}
    assert found[4]["content"] == [{"type": "image_url", "image_url": image}]


def test_contents_of_every_kind_are_carried() -> None:
    parts = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": "https://x/y.png"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]
    [message] = messages({"role": "user", "content": parts})
    assert message["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]


def test_developers_speak_as_the_system() -> None:
    assert messages({"role": "developer", "content": "rule"}, USER)[0] == {
        "role": "system",
        "content": "rule",
    }


def test_tools_of_the_callers_become_functions() -> None:
    custom = {"type": "custom", "name": "apply_patch", "description": "Patches.", "format": {"type": "text"}}
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}
    spaced = {"type": "namespace", "name": "crm", "description": "d", "tools": [FUNCTION]}
    body, dropped = chat(
        tools=[
            {**FUNCTION, "strict": True},
            custom,
            {**custom, "name": "g", "format": grammar},
            {"type": "local_shell"},
            spaced,
        ],
        tool_choice={"type": "custom", "name": "apply_patch"},
        parallel_tool_calls=False,
    )
    functions = [tool["function"] for tool in body["tools"]]
    assert [one["name"] for one in functions] == ["f", "apply_patch", "g", "local_shell", "crm__f"]
    assert functions[0]["strict"] is True and functions[1]["parameters"]["required"] == ["input"]
    assert "start: /x/" in functions[2]["description"]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "apply_patch"}}
    assert body["parallel_tool_calls"] is False and dropped == ()


def test_calls_of_those_tools_become_calls_of_functions() -> None:
    found = messages(
        USER,
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** x"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
        {
            "type": "local_shell_call",
            "id": "l",
            "call_id": "c2",
            "action": {"type": "exec", "command": ["ls"]},
        },
        {"type": "local_shell_call_output", "id": "c2", "output": "a b"},
        {**CALLED, "call_id": "c3", "namespace": "crm"},
        {**RESULT, "call_id": "c3"},
    )
    functions = [message["tool_calls"][0]["function"] for message in found if message["role"] == "assistant"]
    assert functions == [
        {"name": "apply_patch", "arguments": '{"input":"*** x"}'},
        {"name": "local_shell", "arguments": '{"command":["ls"]}'},
        {"name": "crm__f", "arguments": '{"a":1}'},
    ]
    results = [message["tool_call_id"] for message in found if message["role"] == "tool"]
    assert results == ["c1", "c2", "c3"]


@pytest.mark.parametrize(
    "kind", ["web_search", "file_search", "computer", "code_interpreter", "mcp", "image_generation", "shell"]
)
@pytest.mark.parametrize("upstream", [OPENAI_CHAT, ANTHROPIC_MESSAGES, GEMINI_GENERATE])
def test_a_tool_the_provider_runs_is_refused_by_name_when_there_is_no_other(kind: str, upstream: str) -> None:
    message = refusal(upstream, asked(tools=[{"type": kind}]))
    assert message.startswith(f"tools[0].type: '{kind}'")


@pytest.mark.parametrize("upstream", [OPENAI_CHAT, ANTHROPIC_MESSAGES, GEMINI_GENERATE])
def test_a_tool_the_provider_runs_is_left_out_and_named_beside_the_callers_own(upstream: str) -> None:
    body, dropped = encoded(upstream, asked(tools=[FUNCTION, {"type": "web_search"}]))
    assert "web_search" not in str(body) and str(FUNCTION["name"]) in str(body)
    assert "tools.web_search" in dropped


@pytest.mark.parametrize(
    ("fields", "begins"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True}, "background"),
        ({"input": [USER, {"type": "item_reference", "id": "msg_1"}]}, "input[1]"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "u"}]}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "odd"}]}]}, "input[0]"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "web_search"}}, "tool_choice.type"),
    ],
)
def test_what_only_one_account_knows_is_refused_by_its_place(fields: dict[str, Any], begins: str) -> None:
    assert refusal(OPENAI_CHAT, asked(**fields)).startswith(begins)


def test_keeping_is_refused_where_it_was_counted_on() -> None:
    keeper = target(tags=frozenset({KEEPS_ANSWERS_TAG}))
    assert refusal(OPENAI_CHAT, asked(keeper, store=True)).startswith("store")
    assert chat(store=True)[1] == ()


def test_structured_output_and_effort_are_carried() -> None:
    form = {"type": "json_schema", "name": "w", "schema": {"type": "object"}, "strict": True}
    body, _ = chat(thinker(), text={"format": form}, reasoning={"effort": "high", "summary": "auto"})
    schema = {"name": "w", "schema": {"type": "object"}, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": schema}
    assert body["reasoning_effort"] == "high"


def _reasoning(thought: Thought, text: str | None = None) -> dict[str, Any]:
    shown = thought.text if text is None else text
    summary = [{"type": "summary_text", "text": shown}] if shown else []
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": seal([thought])}


def test_signed_thinking_goes_back_to_anthropic_before_its_calls() -> None:
    items = [USER, _reasoning(Thought("hm", "anthropic", "sig")), CALLED, RESULT]
    body, dropped = encoded(ANTHROPIC_MESSAGES, asked(thinker(), input=items))
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
    ]
    assert dropped == ()


def test_redacted_thinking_goes_back_to_anthropic() -> None:
    items = [USER, _reasoning(Thought("", "anthropic", "", "secret")), CALLED, RESULT]
    body, _ = encoded(ANTHROPIC_MESSAGES, asked(thinker(), input=items))
    assert body["messages"][1]["content"][0] == {"type": "redacted_thinking", "data": "secret"}


def test_a_signature_over_another_text_is_not_sent() -> None:
    items = [USER, _reasoning(Thought("hm", "anthropic", "sig"), "changed"), CALLED, RESULT]
    body, dropped = encoded(ANTHROPIC_MESSAGES, asked(thinker(), input=items))
    assert "signature" not in json.dumps(body) and dropped == ("input.reasoning",)


@pytest.mark.parametrize("upstream", [OPENAI_CHAT, GEMINI_GENERATE])
def test_thinking_of_another_family_is_left_out_by_name(upstream: str) -> None:
    items = [USER, _reasoning(Thought("hm", "anthropic", "sig")), CALLED, RESULT]
    body, dropped = encoded(upstream, asked(thinker(), input=items))
    assert "sig" not in json.dumps(body).replace("signature", "")
    assert len(dropped) == 1 and dropped[0].startswith("messages.")


@pytest.mark.parametrize("content", ["gAAAAABencrypted", None])
def test_reasoning_only_its_maker_reads_is_left_out_by_name(content: str | None) -> None:
    summary = [{"type": "summary_text", "text": "hm"}]
    item = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": content}
    body, dropped = encoded(ANTHROPIC_MESSAGES, asked(input=[item, USER]))
    assert len(body["messages"]) == 1 and dropped == ("input.reasoning",)


def test_a_mark_on_a_call_goes_back_to_gemini_with_the_call() -> None:
    mark = _reasoning(sealed_call("c1", {"google": {"thought_signature": "gs"}}))
    body, dropped = encoded(GEMINI_GENERATE, asked(input=[USER, mark, CALLED, RESULT]))
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == "gs" and dropped == ()
    _, elsewhere = encoded(ANTHROPIC_MESSAGES, asked(input=[USER, mark, CALLED, RESULT]))
    assert elsewhere == ("input.reasoning",)
