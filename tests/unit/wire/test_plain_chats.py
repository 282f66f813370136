"""Chats of nothing but texts are told by their shape, and so as if they had been looked through."""

import json

from hypothesis import given
from hypothesis import settings as modest_settings
from hypothesis import strategies as st

from adapters.wire.contents import contents_of
from adapters.wire.heads import DialectReader
from application.ports.wire import OPENAI_CHAT

TEXTS = (
    "hello",
    'said "type" and "audio"',
    'a \\u0041 and "type":"image_url"',
    "",
    None,
    {"type": "image_url"},
    [{"type": "text", "text": "hi"}],
    [{"type": "image_url", "image_url": {"url": "https://example.test/a.png"}}],
    [{"type": "file", "file": {"file_id": "f"}}],
)
OF_MESSAGES: tuple[dict[str, object], ...] = (
    {},
    {"audio": None},
    {"audio": {"id": "a"}},
    {"tool_calls": []},
    {"name": "type"},
)
EXTRAS: tuple[dict[str, object], ...] = (
    {},
    {"tools": []},
    {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"tools": [{"type": "web_search"}]},
    {"service_tier": None},
    {"service_tier": "default"},
    {"service_tier": "auto"},
    {"prediction": {"type": "content", "content": "x"}},
    {"web_search_options": {}},
    {"previous_response_id": "r"},
)


@given(
    st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(OF_MESSAGES)), min_size=1, max_size=3),
    st.sampled_from(EXTRAS),
    st.booleans(),
)
@modest_settings(max_examples=200, deadline=None)
def test_a_chat_holds_what_looking_through_it_finds(
    said: list[tuple[object, dict[str, object]]], extra: dict[str, object], spelt_out: bool
) -> None:
    fields = {
        "model": "m",
        "messages": [{"role": "user", "content": content, **more} for content, more in said],
        **extra,
    }
    body = json.dumps(fields, ensure_ascii=spelt_out).encode()

    request = DialectReader().read(OPENAI_CHAT, body)

    assert request.contents == contents_of(OPENAI_CHAT, body, frozenset(fields))


def test_a_name_that_is_spelt_otherwise_is_the_same_name() -> None:
    body = rb'{"model":"m","messages":[{"role":"user","c\u006fntent":[{"typ\u0065":"input_audio"}]}]}'

    assert DialectReader().read(OPENAI_CHAT, body).contents.sounds == 1
