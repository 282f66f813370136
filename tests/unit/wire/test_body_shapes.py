"""Nested names that a translation does not understand are told by their path."""

from typing import Any

from adapters.wire.body_shapes import CHAT, PATHS_MAX, unknown_fields
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT
from tests.unit.wire.calls import HELLO, call
from tests.unit.wire.translations import encoded


def _image(**more: Any) -> list[dict[str, Any]]:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", **more}}
    return [{"role": "user", "content": [image]}]


def test_nested_fields_of_a_chat_are_told_by_path() -> None:
    tool = {"type": "function", "function": {"name": "f", "novel": 1}}
    asked = call(messages=_image(detail="high"), tools=[tool], response_format={"type": "text", "x": 1})
    for upstream in (ANTHROPIC_MESSAGES, GEMINI_GENERATE):
        _, dropped = encoded(upstream, asked)
        assert dropped == (
            "messages.content.image_url.detail",
            "tools.function.novel",
            "response_format.x",
        )


def test_nested_fields_of_messages_are_told_by_path() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}
    document = {"type": "document", "source": source, "citations": {"enabled": True}, "context": "c"}
    tool = {"name": "f", "input_schema": {"type": "object"}, "defer_loading": True}
    asked = call(
        ANTHROPIC_MESSAGES,
        messages=[{"role": "user", "content": [document]}],
        tools=[tool],
        metadata={"user_id": "u", "team": "t"},
    )
    for upstream in (OPENAI_CHAT, GEMINI_GENERATE):
        _, dropped = encoded(upstream, asked)
        assert {
            "messages.content.citations",
            "messages.content.context",
            "tools.defer_loading",
            "metadata.team",
        } <= set(dropped)


def test_marks_for_caches_and_empty_values_say_nothing() -> None:
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}, "novel": None}
    assert unknown_fields({"messages": [{"role": "user", "content": [part]}]}, CHAT) == []
    assert unknown_fields({"messages": _image(detail="auto")}, CHAT) == []
    assert unknown_fields({"messages": HELLO}, CHAT) == []


def test_a_name_of_a_person_is_told_and_one_of_a_tool_is_not() -> None:
    named = [{"role": "user", "content": "x", "name": "ann"}]
    assert encoded(ANTHROPIC_MESSAGES, call(messages=named))[1] == ("messages.name",)
    assert encoded(GEMINI_GENERATE, call(messages=named))[1] == ("messages.name",)


def test_a_body_full_of_unknown_names_is_told_in_part() -> None:
    message = {"role": "user", "content": "x", **{f"n{place}": 1 for place in range(100)}}
    assert len(unknown_fields({"messages": [message]}, CHAT)) == PATHS_MAX
