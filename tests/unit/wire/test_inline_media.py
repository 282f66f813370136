"""Pictures and documents inside a body, told from text by leaping over it."""

import base64
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.heads import DialectReader
from adapters.wire.inline_media import InlineMedia, inline_media
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT

PICTURE = base64.b64encode(os.urandom(60_000)).decode()
PARTS: dict[str, Any] = {
    "openai": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
    "openai file": {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PICTURE}"}},
    "openai audio": {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
    "gemini": {"inlineData": {"mimeType": "image/png", "data": PICTURE}},
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
@pytest.mark.parametrize("indent", [None, 2])
def test_every_dialects_media_is_found_once(part: Any, indent: int | None) -> None:
    body = json.dumps({"content": [part, {"text": "hello " * 2000}, part]}, indent=indent).encode()
    assert inline_media(body) == InlineMedia(2 * len(PICTURE), 2)


@given(text=st.text(max_size=300))
def test_text_is_no_media(text: str) -> None:
    body = json.dumps({"content": text * 20, "data": "words in a row " * 800, "pad": " " * 9000}).encode()
    assert inline_media(body) == InlineMedia()


def test_a_broken_end_is_survived() -> None:
    assert inline_media(b" " * 9000 + b";base64," + b"A" * 2000) == InlineMedia()
    assert inline_media(b" " * 9000 + b'"data": "' + b"A" * 2000) == InlineMedia()


@pytest.mark.parametrize(("dialect", "part"), [(OPENAI_CHAT, "openai"), (ANTHROPIC_MESSAGES, "anthropic")])
def test_a_picture_counts_as_a_picture_and_not_as_its_letters(dialect: str, part: str) -> None:
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": [PARTS[part]]}]}
    request = DialectReader().read(dialect, json.dumps(body).encode())
    assert request.media_parts == 1
    assert 1_600 < request.input_tokens_typical < 1_800
