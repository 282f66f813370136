"""AWS event streams: any chunking gives the same messages, and nothing damaged is read or grows for ever."""

import struct
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.eventstream import (
    ERROR_EVENT,
    EventStreamFramer,
    MalformedMessage,
    decoded,
    encoded,
)
from adapters.wire.sse import FRAME_BYTES_MAX

NAMES = st.text(min_size=1, max_size=20)
HEADERS = st.dictionaries(NAMES, st.text(max_size=40), max_size=5)
MESSAGES = st.lists(st.tuples(HEADERS, st.binary(max_size=200)), min_size=1, max_size=5)


def event(name: str, payload: bytes) -> bytes:
    return encoded({":event-type": name, ":message-type": "event"}, payload)


def whole(headers: bytes, payload: bytes = b"") -> bytes:
    """A message whose header block is given as bytes, with right checksums."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    head = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return head + struct.pack(">I", crc32(head))


@settings(max_examples=80)
@given(MESSAGES)
def test_what_is_written_is_read(messages: list[tuple[dict[str, str], bytes]]) -> None:
    for headers, payload in messages:
        assert decoded(encoded(headers, payload)) == (headers, payload)


@settings(max_examples=80)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5), st.data())
def test_any_chunking_gives_the_same_frames(payloads: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(event(f"e{number}", payload) for number, payload in enumerate(payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    framer = EventStreamFramer()
    frames = []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        frames += framer.feed(raw[start:end])
    assert framer.broken is None and framer.end() is None
    assert [(frame.event, frame.data) for frame in frames] == [
        (f"e{number}", payload) for number, payload in enumerate(payloads)
    ]
    assert b"".join(frame.raw for frame in frames) == raw


@settings(max_examples=120)
@given(st.binary(max_size=60), st.data())
def test_a_damaged_byte_is_never_read(payload: bytes, data: st.DataObject) -> None:
    raw = bytearray(event("contentBlockDelta", payload))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MalformedMessage):
        decoded(bytes(raw))
    framer = EventStreamFramer()
    assert framer.feed(event("first", b"{}") + bytes(raw) + event("last", b"{}"))[1:] == []
    assert framer.broken is not None
    assert framer.feed(event("later", b"{}")) == [], "what is broken stays broken"


@settings(max_examples=80)
@given(st.binary(max_size=300))
def test_noise_gives_no_frames_and_no_other_error(noise: bytes) -> None:
    framer = EventStreamFramer()
    assert framer.feed(noise) == []
    assert framer.end() is None


@pytest.mark.parametrize(
    ("total", "headers", "said"),
    [
        (FRAME_BYTES_MAX + 1, 0, "larger than 16 MiB"),
        (0xFFFFFFFF, 0, "larger than 16 MiB"),
        (15, 0, "contradict"),
        (0, 0, "contradict"),
        (100, 85, "contradict"),
        (0xFFFFFFFF, 0xFFFFFFFF, "contradict"),
        (300_000, 128 * 1024 + 1, "contradict"),
    ],
)
def test_absurd_lengths_are_refused_before_anybody_waits(total: int, headers: int, said: str) -> None:
    prelude = struct.pack(">II", total, headers)
    framer = EventStreamFramer()
    assert framer.feed(prelude + struct.pack(">I", crc32(prelude))) == []
    assert framer.broken is not None and said in framer.broken


def test_lengths_with_a_wrong_checksum_are_refused_before_anybody_waits() -> None:
    framer = EventStreamFramer()
    assert framer.feed(struct.pack(">III", 16, 0, 1)) == []
    assert framer.broken is not None and "checksum" in framer.broken


@pytest.mark.parametrize(
    "block",
    [
        b"\x05ab",
        b"\x01a\x07\x00\x09short",
        b"\x01a\x63",
        b"\x01a\x04\x00",
        b"\x01a",
        b"\x01\xff\x07\x00\x00",
        b"\x01a\x07\x00\x01\xff",
        b"\x01a\x06\x00\x05ab",
    ],
    ids=["name", "value", "unknown type", "integer", "no type", "name not UTF-8", "text not UTF-8", "bytes"],
)
def test_headers_that_contradict_themselves_are_malformed(block: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decoded(whole(block))


def test_headers_of_all_types_are_passed_over() -> None:
    fixed = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    block = b"".join(b"\x01x" + bytes((kind,)) + b"\x00" * size for kind, size in fixed.items())
    block += b"\x01b\x06\x00\x02ab\x01t\x07\x00\x02ok"
    assert decoded(whole(block, b"p")) == ({"t": "ok"}, b"p")


def test_exceptions_and_errors_are_told_apart_from_events() -> None:
    exception = encoded({":message-type": "exception", ":exception-type": "throttlingException"}, b"{}")
    error = encoded({":message-type": "error", ":error-code": "Gone", ":error-message": "no more"}, b"")
    first, second = EventStreamFramer().feed(exception + error)
    assert first.event == "throttlingException"
    assert (second.event, second.data) == (ERROR_EVENT, b'{"code":"Gone","message":"no more"}')
