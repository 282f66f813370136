"""Lines and forms come out the same however their bytes arrive."""

import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.batch_lines import JsonLines
from application.batch_lines import RawLine, lines_of, understood
from domain.batch.line import UnreadableLine
from domain.errors import InvalidRequest
from entrypoints.http.multipart import (
    FIELD_BYTES_MAX,
    Event,
    Field,
    FileBegan,
    FileBytes,
    FileEnded,
    MultipartReader,
    boundary_of,
)


async def pieces(data: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    for size in sizes:
        piece, data = data[:size], data[size:]
        yield piece
    yield data


async def collected(data: bytes, sizes: list[int], line_bytes_max: int = 100) -> list[RawLine]:
    return [line async for line in lines_of(pieces(data, sizes), line_bytes_max=line_bytes_max)]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.binary(max_size=30).map(lambda part: part.replace(b"\n", b"")), max_size=20),
    st.lists(st.integers(0, 40), max_size=30),
)
async def test_lines_are_numbered_as_an_editor_numbers_them(lines: list[bytes], sizes: list[int]) -> None:
    found = await collected(b"\n".join(lines), sizes)
    assert found == [RawLine(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip()]


async def test_a_line_that_is_too_long_is_not_kept_and_the_next_one_is() -> None:
    found = await collected(b"a" * 500 + b"\nshort\n" + b"b" * 101, [7, 300, 90, 20])
    assert found == [RawLine(1, None), RawLine(2, b"short"), RawLine(3, None)]
    with pytest.raises(UnreadableLine, match="100 bytes"):
        understood(JsonLines(), found[0], 100)


GOOD = {
    "custom_id": "a",
    "method": "POST",
    "url": "/v1/embeddings",
    "body": {"model": "m", "x": [1, {"y": 2}]},
}


def test_a_bodys_bytes_stay_as_they_are() -> None:
    raw = json.dumps(GOOD).replace('{"model"', '{ "model"').encode()
    line = JsonLines().read(4, raw)
    assert (line.number, line.custom_id, line.url) == (4, "a", "/v1/embeddings")
    assert line.body == b'{ "model": "m", "x": [1, {"y": 2}]}'


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"custom_id": ""}, "invalid_custom_id"),
        ({"custom_id": "x" * 513}, "invalid_custom_id"),
        ({"custom_id": 7}, "invalid_line"),
        ({"method": "GET"}, "invalid_method"),
        ({"body": [1]}, "invalid_body"),
        ({"body": {"stream": True}}, "stream_in_batch"),
        ({"body": {"background": True}}, "background_in_batch"),
        ({"url": None}, "invalid_line"),
    ],
)
def test_what_is_no_request_is_named(change: dict[str, object], code: str) -> None:
    with pytest.raises(UnreadableLine) as refused:
        JsonLines().read(1, json.dumps({**GOOD, **change}).encode())
    assert refused.value.code == code and refused.value.param


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableLine):
        JsonLines().read(1, raw)


@pytest.mark.parametrize("body", [b'{"a":\n1}', b"not json", b"\xff"])
def test_a_result_is_one_line_of_json_whatever_was_answered(body: bytes) -> None:
    row = JsonLines().answer("b_1", "c", 200, "r", body)
    assert row.endswith(b"\n") and row.count(b"\n") == 1
    assert json.loads(row)["response"]["status_code"] == 200
    refused = json.loads(JsonLines().refusal("b_1", "c", "code", "why"))
    assert refused["response"] is None and refused["error"] == {"code": "code", "message": "why"}


def form(parts: list[tuple[str, str | None, bytes]], boundary: bytes = b"xYx") -> bytes:
    data = b""
    for name, filename, value in parts:
        extra = "" if filename is None else f'; filename="{filename}"'
        head = f'Content-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode()
        data += b"--" + boundary + b"\r\n" + head + value + b"\r\n"
    return data + b"--" + boundary + b"--\r\n"


def read(data: bytes, sizes: list[int]) -> list[Event]:
    reader = MultipartReader(b"xYx")
    events: list[Event] = []
    for size in sizes:
        events += reader.feed(data[:size])
        data = data[size:]
    events += reader.feed(data)
    assert reader.complete
    return events


@settings(max_examples=80, deadline=None)
@given(
    st.binary(max_size=300).filter(lambda value: b"--xYx" not in value),
    st.text(max_size=20),
    st.lists(st.integers(1, 60), max_size=40),
    st.booleans(),
)
def test_a_form_reads_the_same_however_it_is_cut(
    content: bytes, text: str, sizes: list[int], last: bool
) -> None:
    parts = [("purpose", None, text.encode()), ("file", "in.jsonl", content), ("more", None, b"")]
    events = read(form(parts if last else parts[::-1]), sizes)
    fields = {event.name: event.value for event in events if isinstance(event, Field)}
    assert fields == {"purpose": text, "more": ""}
    assert b"".join(event.data for event in events if isinstance(event, FileBytes)) == content
    assert [event for event in events if isinstance(event, FileBegan)] == [FileBegan("file", "in.jsonl")]
    assert sum(isinstance(event, FileEnded) for event in events) == 1


@pytest.mark.parametrize("content", [b"\r\n", b"\r\n--xY", b"--xY\r\n", b"a\r\n--x\r\n--xYZ", b""])
def test_what_looks_like_a_delimiter_is_content(content: bytes) -> None:
    events = read(form([("file", "f", content)]), [1] * 400)
    assert b"".join(event.data for event in events if isinstance(event, FileBytes)) == content


def test_the_boundary_is_read_from_the_header() -> None:
    assert boundary_of('multipart/form-data; charset=utf-8; boundary="a b"') == b"a b"
    assert boundary_of("Multipart/Form-Data;boundary=abc") == b"abc"
    for wrong in ("", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"):
        with pytest.raises(InvalidRequest):
            boundary_of(wrong)


@pytest.mark.parametrize(
    "data",
    [
        b"--xYx\r\nContent-Type: text/plain\r\n\r\nx\r\n--xYx--",
        b"--xYxjunk\r\n",
        b"--xYx\r\n" + b"a" * 20_000,
        form([("purpose", None, b"x" * (FIELD_BYTES_MAX + 1))]),
        form([(str(number), None, b"") for number in range(65)]),
    ],
)
def test_a_malformed_or_endless_form_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(data, [50] * 10)
