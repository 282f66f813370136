"""The queue of recordings: bounded, behind the requests, and patient with its store."""

from typing import Any

import pytest

from adapters.memory.recordings import InMemoryRecordings
from adapters.memory.system import SteppingClock
from application.ports.llm import Block
from application.recording import QUEUE_PARTS_MAX, RecordedStream, Recorder
from contracts.ports.recordings import recording
from domain.errors import StoreUnavailable, VaultLocked


async def unlocked() -> None:
    """The keys are there."""


def recorder(store: InMemoryRecordings, unlock: Any = unlocked, share: int = 1 << 30) -> Recorder:
    return Recorder(store, unlock, SteppingClock(), part_bytes_max=1024, tenant_day_bytes_max=share)


async def test_what_is_noted_is_in_the_store_after_a_flush() -> None:
    store = InMemoryRecordings()
    behind = recorder(store)
    for number in range(120):
        behind.note(recording(f"req_{number}"))

    await behind.flush()

    assert len(store.rows) == behind.written == 120
    assert behind.waiting == 0


async def test_a_full_queue_gives_recordings_up_and_counts_them() -> None:
    behind = recorder(InMemoryRecordings())
    for number in range(QUEUE_PARTS_MAX + 3):
        behind.note(recording(f"req_{number}"))
    assert (behind.waiting, behind.dropped) == (QUEUE_PARTS_MAX, 3)


async def test_a_store_that_is_away_loses_nothing_that_has_room() -> None:
    store = InMemoryRecordings()
    behind = recorder(store)
    behind.note(recording())
    store.reachable = False
    with pytest.raises(StoreUnavailable):
        await behind.flush()
    store.reachable = True

    await behind.flush()

    assert len(store.rows) == 1


async def test_nothing_is_written_before_the_keys_are_there() -> None:
    store = InMemoryRecordings()

    async def locked() -> None:
        raise VaultLocked("away")

    behind = recorder(store, locked)
    behind.note(recording())
    with pytest.raises(VaultLocked):
        await behind.flush()
    assert (store.rows, behind.waiting) == ({}, 1)


async def test_what_a_tenants_share_has_no_room_for_is_counted() -> None:
    behind = recorder(InMemoryRecordings(), share=20)
    behind.note(recording(content=b"x" * 15))
    behind.note(recording("req_2", content=b"x" * 15))
    await behind.flush()
    assert (behind.written, behind.beyond_share) == (1, 1)


class _Stream:
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, *raw: bytes) -> None:
        self._blocks = [Block(each, ()) for each in raw]
        self.closed = False

    async def next_block(self) -> Block | None:
        return self._blocks.pop(0) if self._blocks else None

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("bytes_max", "told"), [(100, (b"abcdef", False)), (4, (b"abcd", True)), (3, (b"abc", True))]
)
async def test_a_stream_passes_whole_and_its_beginning_is_told_once(
    bytes_max: int, told: tuple[bytes, bool]
) -> None:
    heard: list[tuple[bytes, bool]] = []
    stream = RecordedStream(_Stream(b"abc", b"def"), bytes_max, lambda *one: heard.append(one))
    passed = []
    while (block := await stream.next_block()) is not None:
        passed.append(block.raw)
    stream.close()
    assert b"".join(passed) == b"abcdef"
    assert heard == [told]


async def test_a_stream_that_is_left_is_told_as_not_finished() -> None:
    heard: list[tuple[bytes, bool]] = []
    inner = _Stream(b"abc", b"def")
    stream = RecordedStream(inner, 100, lambda *one: heard.append(one))
    await stream.next_block()
    stream.close()
    assert inner.closed
    assert heard == [(b"abc", True)]
