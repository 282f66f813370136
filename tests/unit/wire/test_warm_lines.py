"""Lines that caches are warmed from."""

import json
from typing import Any

import pytest

from adapters.wire.warm_lines import JsonWarmLines
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)
from domain.errors import InvalidRequest

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
MESSAGE = {
    "id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "x"}], "usage": {"input_tokens": 3, "output_tokens": 2},
}  # fmt: skip
LINES = JsonWarmLines()


def read(line: Any) -> Any:
    return LINES.read(line if isinstance(line, bytes) else json.dumps(line).encode())


@pytest.mark.parametrize(
    ("line", "dialect"),
    [
        (CHAT, OPENAI_CHAT),
        ({"model": "m", "prompt": "x"}, OPENAI_COMPLETIONS),
        ({"model": "m", "input": "x"}, OPENAI_EMBEDDINGS),
        ({"request": CHAT}, OPENAI_CHAT),
        ({"request": CHAT, "url": "/v1/messages"}, ANTHROPIC_MESSAGES),
        (
            {"custom_id": "1", "method": "POST", "url": "/v1/responses", "body": {"input": "x"}},
            OPENAI_RESPONSES,
        ),
    ],
    ids=str,
)
def test_the_dialect_is_what_the_body_shows_or_the_url_says(line: Any, dialect: str) -> None:
    found = read(line)

    assert found.dialect == dialect and found.response is None
    assert json.loads(found.request) == line.get("request", line.get("body", line))


@pytest.mark.parametrize(
    "response", [MESSAGE, {"status_code": 200, "request_id": "r", "body": MESSAGE}], ids=["plain", "batch"]
)
def test_an_answer_is_taken_as_it_is_logged(response: Any) -> None:
    found = read({"request": CHAT, "response": response, "latency": 3})

    assert json.loads(found.response) == MESSAGE
    told = LINES.answer(ANTHROPIC_MESSAGES, found.response)
    assert told == ("stop", 3, 2)


@pytest.mark.parametrize(
    ("line", "param"),
    [
        (b"no json", "line"),
        (b"[]", "line"),
        (b"\xff", "line"),
        (b'{"a": ' + b"[" * 100_000, "line"),
        ({"nothing": 1}, "line"),
        ({"request": 7}, "request"),
        ({"request": CHAT, "url": "/v1/none"}, "url"),
        ({"request": CHAT, "response": "x"}, "response"),
        ({"request": CHAT, "response": {"status_code": 500, "body": {}}}, "response"),
    ],
)
def test_what_cannot_be_read_names_its_part(line: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(line)

    assert refused.value.param == param


@pytest.mark.parametrize("response", [b"{}", b'{"error": {"message": "no"}}', b"no json"])
def test_what_is_no_answer_is_refused(response: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        LINES.answer(OPENAI_CHAT, response)

    assert refused.value.param == "response"
