"""Which calling route a body is explained as."""

from typing import Any

import msgspec
import pytest

from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)
from entrypoints.http.asked_about import dialect_of


def taken_for(body: dict[str, Any], headers: dict[bytes, bytes] | None = None) -> str:
    data = msgspec.json.encode(body)
    return dialect_of(msgspec.json.decode(data, type=dict[str, msgspec.Raw]), headers or {}, data)[0]


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        ({"messages": []}, OPENAI_CHAT),
        ({"model": "m"}, OPENAI_CHAT),
        ({"prompt": "x"}, OPENAI_COMPLETIONS),
        ({"input": "x"}, OPENAI_EMBEDDINGS),
        ({"input": ["x", "y"], "dimensions": 8}, OPENAI_EMBEDDINGS),
        ({"input": [[1, 2]]}, OPENAI_EMBEDDINGS),
        ({"input": "x", "store": False}, OPENAI_RESPONSES),
        ({"input": "x", "temperature": 0}, OPENAI_RESPONSES),
        ({"input": [{"role": "user", "content": "x"}]}, OPENAI_RESPONSES),
    ],
    ids=str,
)
def test_a_body_is_explained_as_what_only_it_can_be(body: dict[str, Any], dialect: str) -> None:
    assert taken_for(body) == dialect


def test_a_chat_is_anthropics_where_a_header_says_so() -> None:
    assert taken_for({"messages": []}, {b"anthropic-version": b"2023-06-01"}) == ANTHROPIC_MESSAGES
