"""What a body refers to is found in every dialect; what is not known counts as of unknown size."""

import msgspec
import pytest

from adapters.wire.contents import EDITED_IMAGES_MAX
from adapters.wire.heads import DialectReader
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_IMAGE_EDITS,
    OPENAI_MODERATIONS,
    OPENAI_RESPONSES,
)
from domain.llm.contents import PLAIN, Contents

PICTURE_OF_CLAUDE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def contents(dialect: str, body: object) -> Contents:
    return DialectReader().read(dialect, msgspec.json.encode(body)).contents


def claude(*parts: object, **more: object) -> Contents:
    said = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": list(parts)}], **more}
    return contents(ANTHROPIC_MESSAGES, said)


def response(*items: object, **more: object) -> Contents:
    return contents(OPENAI_RESPONSES, {"model": "m", "input": list(items), **more})


def gemini(*parts: object, **more: object) -> Contents:
    return contents(GEMINI_GENERATE, {"contents": [{"parts": list(parts)}], **more})


def test_words_tools_of_the_callers_own_and_their_results_are_plain() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    tools = [{"type": "function", "function": {"name": "f"}}]
    said = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": tools}

    assert contents(OPENAI_CHAT, said) == PLAIN
    assert (
        claude({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}]})
        == PLAIN
    )
    assert response({"role": "user", "content": "hi"}, call, {"type": "reasoning", "summary": []}) == PLAIN
    assert gemini({"text": "hi"}, {"functionCall": {"name": "f", "args": {}}}) == PLAIN


def test_pictures_are_counted_with_the_bytes_they_take_wherever_they_stand() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [PICTURE_OF_CLAUDE]}
    shot = {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "data:x"}}
    shown = {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}

    assert claude(PICTURE_OF_CLAUDE, result).images == 2
    assert claude(PICTURE_OF_CLAUDE).image_bytes == len(msgspec.json.encode(PICTURE_OF_CLAUDE))
    assert response(shown, shot).images == 2
    assert gemini({"inline_data": {"mime_type": "image/png", "data": "AAAA"}}).images == 1
    assert (
        contents(OPENAI_MODERATIONS, {"input": [{"type": "image_url", "image_url": {"url": "u"}}]}).images
        == 1
    )
    edit = {"model": "m", "prompt": "p", "images": [{"image_url": "u"}]}
    assert contents(OPENAI_IMAGE_EDITS, edit).images == EDITED_IMAGES_MAX


@pytest.mark.parametrize(
    "found",
    [
        claude({"type": "document", "source": {"type": "file", "file_id": "f"}}),
        claude({"type": "container_upload", "file_id": "f"}),
        response({"role": "user", "content": [{"type": "input_file", "file_url": "u"}]}),
        response({"type": "item_reference", "id": "i"}),
        response({"id": "msg_1"}),
        response({"role": "user", "content": "hi"}, conversation="conv_1"),
        response({"role": "user", "content": "hi"}, prompt={"id": "p"}),
        gemini({"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}}),
        gemini({"text": "hi"}, cachedContent="cachedContents/1"),
        gemini({"functionResponse": {"name": "f", "parts": [{"inlineData": {"mimeType": "image/png"}}]}}),
        gemini({"hologram": {}}),
        contents(GEMINI_EMBEDDINGS, {"content": {"parts": [{"fileData": {"mimeType": "video/mp4"}}]}}),
        contents(
            OPENAI_CHAT,
            {"model": "m", "messages": [{"role": "assistant", "content": None, "audio": {"id": "a"}}]},
        ),
    ],
)
def test_what_the_body_only_refers_to_is_of_unknown_size(found: Contents) -> None:
    assert found.outside


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (
            claude({"type": "text", "text": "x"}, tools=[{"type": "web_search_20250305", "name": "w"}]),
            "web_search",
        ),
        (claude({"type": "text", "text": "x"}, mcp_servers=[{"url": "u"}]), "mcp_servers"),
        (
            response({"role": "user", "content": "x"}, tools=[{"type": "code_interpreter"}]),
            "code_interpreter",
        ),
        (gemini({"text": "x"}, tools=[{"googleSearch": {}}]), "googleSearch"),
    ],
)
def test_what_the_provider_does_on_its_own_is_named(found: Contents, what: str) -> None:
    assert what in found.run_by_provider


def test_tools_that_the_caller_runs_for_anthropic_are_its_own() -> None:
    tools = [
        {"type": "computer_20250124", "name": "computer"},
        {"type": "custom", "name": "f"},
        {"name": "g"},
    ]

    assert claude({"type": "text", "text": "x"}, tools=tools) == PLAIN


@pytest.mark.parametrize(("tier", "usual"), [("default", True), ("auto", False), ("priority", False)])
def test_only_an_explicit_word_excludes_an_accounts_default_tier(tier: str, usual: bool) -> None:
    said = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "service_tier": tier}

    assert contents(OPENAI_CHAT, said).usual_tier is usual
