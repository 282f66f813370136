# ruff: noqa: E501 - bytes stand here as they are on the wire
"""The Responses API within its family: nothing is bent, whole and streamed."""

import json
from typing import Any

import pytest

from tests.e2e.test_byte_fidelity import CALLERS_HEADERS, ODD, World, assert_headers_pass, world

__all__ = ["world"]
BODY: dict[str, Any] = {
    "model": "o",
    "input": [{"role": "user", "content": "hi", "x": 1}],
    "store": False,
    **ODD,
}
ANSWER = (
    b'{"id":"resp_1", "object":"response","created_at":1,"status":"completed","model":"m-2026","store":false,"new":[1.50],\n'
    b' "output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"h\\u00e9","annotations":[]}]}],'
    b'"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5,"new_bucket":1}}\n'
)
STREAM = b"".join(
    b"event: %s\ndata: %s\n\n" % (name, data)
    for name, data in (
        (
            b"response.created",
            b'{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","store":false,"x":1}}',
        ),
        (b"response.new_event", b'{"type":"response.new_event","sequence_number":1,"x":{}}'),
        (
            b"response.output_text.delta",
            b'{"type":"response.output_text.delta","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"h\\u00e9"}',
        ),
        (
            b"response.completed",
            b'{"type":"response.completed","sequence_number":3,"response":'
            + ANSWER.replace(b"\n", b"")
            + b"}",
        ),
    )
)


@pytest.mark.parametrize(("stream", "answer"), [(False, ANSWER), (True, STREAM)])
def test_request_and_answer_pass_as_they_are(world: World, stream: bool, answer: bytes) -> None:
    body = {**BODY, "stream": stream}
    got = world.ask("/v1/responses", body, answer, stream=stream)
    assert got.status_code == 200, got.text
    assert json.loads(world.seen.body) == {**body, "model": "m"}
    for name, value in CALLERS_HEADERS.items():
        assert world.seen.header(name) == value, name
    kept = b"".join(
        f + b"\n\n" for f in got.content.split(b"\n\n") if f and not f.startswith(b": interchange ")
    )
    assert (kept if stream else got.content) == answer
    assert_headers_pass(got)
