"""Translations of what stands in a conversation less often: documents, refusals, older calls, odd schemas."""

from typing import Any

import pytest

from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT
from domain.catalog.tags import PREFIX_FLAG_TAG
from tests.unit.wire.calls import HELLO, call, target
from tests.unit.wire.translations import FUNCTION, TOOL, encoded, refusal, to_anthropic, to_chat, to_gemini


def test_documents_of_anthropic_become_files_or_text() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}
    blocks = [
        {"type": "document", "source": pdf, "title": "a.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "text", "text": ""},
        {"type": "search_result", "title": "x"},
    ]
    body, dropped = to_chat(messages=[{"role": "user", "content": blocks}])
    file, text, image = body["messages"][0]["content"]
    assert file["file"] == {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}
    assert text["text"] == "words" and image["image_url"]["url"] == "https://example.org/a.png"
    assert dropped == ("messages.search_result",)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
    ],
)
def test_what_lies_in_another_account_is_refused(block: dict[str, Any]) -> None:
    asked = call(ANTHROPIC_MESSAGES, messages=[{"role": "user", "content": [block]}])
    assert "data" in refusal(OPENAI_CHAT, asked)


@pytest.mark.parametrize("upstream", [ANTHROPIC_MESSAGES, GEMINI_GENERATE])
def test_files_by_id_and_unknown_parts_are_refused(upstream: str) -> None:
    for part in ({"type": "file", "file": {"file_id": "f"}}, {"type": "hologram"}):
        refusal(upstream, call(messages=[{"role": "user", "content": [part]}]))


@pytest.mark.parametrize("upstream", [ANTHROPIC_MESSAGES, GEMINI_GENERATE])
def test_sound_in_answers_is_refused_and_text_says_nothing(upstream: str) -> None:
    assert "modalities" in refusal(upstream, call(modalities=["text", "audio"]))
    assert encoded(upstream, call(modalities=["text"]))[1] == ()


def test_a_file_and_a_refusal_reach_gemini() -> None:
    file = {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD"}}
    said = [
        {"role": "user", "content": [file]},
        {"role": "assistant", "refusal": "no", "reasoning_content": "hm"},
    ]
    body, dropped = to_gemini(messages=said)
    assert body["contents"][0]["parts"][0]["inlineData"]["mimeType"] == "application/pdf"
    assert body["contents"][1]["parts"] == [{"text": "no"}]
    assert dropped == ("messages.reasoning_content",)


def test_a_refusal_and_older_function_calls_reach_anthropic() -> None:
    said = [
        *HELLO,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"role": "function", "name": "f", "content": "x"},
        {"role": "assistant", "refusal": "no"},
        *HELLO,
    ]
    body, _ = to_anthropic(messages=said, functions=[FUNCTION], function_call={"name": "f"})
    assert body["messages"][1]["content"][0] == {"type": "tool_use", "id": "call_f", "name": "f", "input": {}}
    assert body["messages"][2]["content"][0]["tool_use_id"] == "call_f"
    assert body["messages"][3]["content"] == [{"type": "text", "text": "no"}]
    assert body["tool_choice"] == {"type": "tool", "name": "f"}


def test_tools_that_are_no_functions_are_dropped_by_name() -> None:
    custom = {"type": "custom", "custom": {"name": "c"}}
    for said in (to_anthropic(tools=[custom]), to_gemini(tools=[custom])):
        assert "tools" not in said[0] and said[1] == ("tools.custom",)


def test_a_choice_among_some_tools_reaches_gemini() -> None:
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOL]}}
    body, _ = to_gemini(tools=[TOOL], tool_choice=allowed)
    calling = body["toolConfig"]["functionCallingConfig"]
    assert calling == {"mode": "ANY", "allowedFunctionNames": ["f"]}
    bare = {"type": "function", "function": {"name": "f"}}
    assert to_gemini(tools=[bare])[0]["tools"] == [{"functionDeclarations": [{"name": "f"}]}]


def test_a_conversation_of_system_texts_alone_is_still_answerable() -> None:
    body, _ = to_gemini(messages=[{"role": "system", "content": "be kind"}])
    assert body["contents"] == [{"role": "user", "parts": [{"text": "be kind"}]}]


def test_anthropic_gets_temperature_or_top_p_but_not_both() -> None:
    assert to_anthropic(top_p=0.5)[0]["top_p"] == 0.5
    body, dropped = to_anthropic(top_p=0.5, temperature=0.3)
    assert "top_p" not in body and dropped == ("top_p",)
    assert to_anthropic(top_p=1, temperature=0.3)[1] == ()


def test_a_continuation_at_mistral_marks_its_prefix_after_a_translation_too() -> None:
    asked = call(
        ANTHROPIC_MESSAGES,
        to=target(provider="mistral", tags=frozenset({PREFIX_FLAG_TAG})),
        continue_from="so",
    )
    body, _ = encoded(OPENAI_CHAT, asked)
    assert body["messages"][-1] == {"role": "assistant", "content": "so", "prefix": True}


def test_a_schema_with_all_kinds_of_keywords_is_reduced() -> None:
    schema = {
        "type": "object",
        "properties": {
            "number": {"enum": [1, 2], "type": "integer"},
            "two": {"type": ["string", "integer"]},
            "many": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            "whole": {
                "allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"description": "d"}]
            },
            "lost": {"$ref": "#/$defs/missing"},
            "anything": True,
        },
    }
    body, _ = to_gemini(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
    assert body["tools"][0]["functionDeclarations"][0]["parameters"]["properties"] == {
        "number": {"type": "integer"},
        "two": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "many": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "whole": {"type": "object", "properties": {"a": {"type": "string"}}, "description": "d"},
        "lost": {"type": "object"},
        "anything": {},
    }
