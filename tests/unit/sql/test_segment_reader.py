"""Whatever happens to a journal's file, reading it ends, invents nothing and loses only what is damaged."""

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sql.event_format import HEADER, RECORD_SIZE_BYTES_MAX, framed, framed_event, framed_fields
from adapters.sql.journal import TORN_SIZE_BYTES_MAX, SegmentReader
from contracts.ports.usage import usage_event
from domain.analytics.event import RequestEvent

EVENTS = [usage_event(number, tries=1 + number % 2) for number in range(5)]
RECORDS = [framed_fields(), *(framed_event(event) for event in EVENTS)]
WHOLE = b"".join(RECORDS)


def read(content: bytes) -> tuple[list[RequestEvent], int]:
    """The events in a file of this content, and how much of it was damaged."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "1.seg"
        path.write_bytes(content)
        reader = SegmentReader(path)
        return list(reader), reader.damaged


def test_a_whole_segment_gives_back_every_event() -> None:
    assert read(WHOLE) == (EVENTS, 0)


@settings(max_examples=60)
@given(st.integers(0, len(WHOLE)))
def test_a_torn_tail_costs_only_the_unfinished_record_and_is_no_damage(length: int) -> None:
    whole, size = -1, 0
    for record in RECORDS:
        size += len(record)
        whole += size <= length
    assert read(WHOLE[:length]) == (EVENTS[: max(whole, 0)], 0)


@settings(max_examples=100)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_one_wrong_byte_costs_events_but_never_changes_one(place: int, flipped: int) -> None:
    content = bytearray(WHOLE)
    content[place] ^= flipped
    events, damaged = read(bytes(content))
    assert [event for event in EVENTS if event in events] == events, "in order, each at most once"
    before = sum(1 for end in ends() if end <= place)
    assert events[: max(before - 1, 0)] == EVENTS[: max(before - 1, 0)], "what came before is untouched"
    # A length that points past the end looks like a torn tail; all else is known to be damage.
    assert damaged or len(events) < len(EVENTS)


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_any_bytes_after_the_records_leave_the_records_readable(tail: bytes) -> None:
    events, _ = read(WHOLE + tail)
    assert events[: len(EVENTS)] == EVENTS


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_any_file_can_be_read_to_its_end(content: bytes) -> None:
    events, _ = read(content)
    assert events == []


@pytest.mark.parametrize(
    "payload",
    [b"\xc1", msgspec.msgpack.encode({"no": "event"}), b"\x91" * 3000],
    ids=["no MessagePack", "a map", "nested without end"],
)
def test_a_record_that_is_whole_but_no_event_is_left_out_alone(payload: bytes) -> None:
    content = RECORDS[0] + RECORDS[1] + framed(payload) + RECORDS[2]
    assert read(content) == (EVENTS[:2], 1)


@pytest.mark.parametrize("fields", [[], [["a"]], [1, 2], {"a": 1}])
def test_without_the_names_of_its_fields_a_segment_says_nothing(fields: object) -> None:
    content = framed(msgspec.msgpack.encode(fields)) + RECORDS[1]
    assert read(content) == ([], 1)


def test_a_length_beyond_any_record_is_damage() -> None:
    assert read(WHOLE + HEADER.pack(RECORD_SIZE_BYTES_MAX + 1, 0)) == (EVENTS, 1)


def test_more_than_one_record_behind_a_header_is_a_damaged_length() -> None:
    tail = HEADER.pack(RECORD_SIZE_BYTES_MAX, 0) + bytes(TORN_SIZE_BYTES_MAX + 1)
    assert read(WHOLE + tail) == (EVENTS, 1)


def ends() -> list[int]:
    """Where each record ends."""
    found: list[int] = []
    for record in RECORDS:
        found.append((found[-1] if found else 0) + len(record))
    return found
