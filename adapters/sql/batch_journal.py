"""The journal of each running batch: an append-only file, held by one process.

    batches/<batch id>/lock       held by whoever runs the batch; the kernel drops the lock with the process
    batches/<batch id>/records    one record after the other, framed as those of the usage journal

A record is a MessagePack array whose first element says what it is. The usage events in it are written as in
the usage journal, behind a record that names their fields, so that a newer version still reads them.
"""

import fcntl
import os
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import msgspec

from adapters.sql.event_format import (
    HEADER,
    RECORD_SIZE_BYTES_MAX,
    EventDecoder,
    framed,
    framed_event,
    framed_fields,
)
from adapters.sql.thread import BlockingThread
from application.ports.batch_store import BatchJournal, BatchJournals, JournalPage
from domain.batch.progress import Intent, Record, TryEnded
from domain.errors import StoreUnavailable

Result = TypeVar("Result")
PAGE_RECORDS: Final = 256
PAGE_BYTES: Final = 1024 * 1024
_LOCK: Final = "lock"
_RECORDS: Final = "records"
_FIELDS, _INTENT, _ENDED = 0, 1, 2
_EVENT_PLACE: Final = TryEnded._fields.index("event")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Any]).decode


class DiskBatchJournals(BatchJournals):
    """`directory` is `<data_dir>/batches`, shared by all processes of the machine."""

    def __init__(
        self, directory: Path, thread: BlockingThread, *, write: Callable[[int, bytes], int] = os.write
    ) -> None:
        self._directory = directory
        self._thread = thread
        self._write = write

    async def open(self, batch_id: str) -> BatchJournal | None:
        journal = _DiskJournal(self._folder(batch_id), self._thread, self._write)
        return journal if await _unless_broken(self._thread, journal.take) else None

    async def remove(self, batch_id: str) -> None:
        folder = self._folder(batch_id)
        await _unless_broken(self._thread, lambda: shutil.rmtree(folder, ignore_errors=True))

    def _folder(self, batch_id: str) -> Path:
        if not _ID.fullmatch(batch_id):
            raise StoreUnavailable("not an id of a batch")
        return self._directory / batch_id


class _DiskJournal(BatchJournal):
    """`append` writes in the caller's thread: a few kilobytes into the page cache."""

    def __init__(self, folder: Path, thread: BlockingThread, write: Callable[[int, bytes], int]) -> None:
        self._folder = folder
        self._thread = thread
        self._write = write
        self._lock = -1
        self._file = -1
        self._size_bytes = 0
        self._decoder: EventDecoder | None = None
        self.damaged = 0
        """Records that could not be read."""

    def take(self) -> bool:
        """Whether the journal is now this process's, open and cut off behind its last whole record."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        path = self._folder / _RECORDS
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with path.open("rb") as file:
            self._size_bytes = _whole_bytes(file)
        os.ftruncate(self._file, self._size_bytes)
        self._put(framed(_encode((_FIELDS, framed_fields()[HEADER.size :]))))
        return True

    def append(self, record: Record) -> None:
        self._put(framed(_encode(_packed(record))))

    def _put(self, data: bytes) -> None:
        if self._file < 0:
            raise StoreUnavailable("the batch's journal is closed")
        try:
            written = self._write(self._file, data)
        except OSError as error:
            raise StoreUnavailable(
                f"the batch's journal cannot be written: {error.strerror}", retry_after_s=5.0
            ) from error
        if written != len(data):
            os.ftruncate(self._file, self._size_bytes)
            raise StoreUnavailable(
                "the batch's journal cannot be written: the disk is full", retry_after_s=5.0
            )
        self._size_bytes += written

    async def page(self, offset: int) -> JournalPage:
        return await _unless_broken(self._thread, lambda: self._page(offset))

    def _page(self, offset: int) -> JournalPage:
        records: list[Record] = []
        with (self._folder / _RECORDS).open("rb") as file:
            file.seek(offset)
            if offset == 0:
                self._decoder = None
            while len(records) < PAGE_RECORDS and file.tell() - offset < PAGE_BYTES:
                payload = _next_payload(file)
                if payload is None:
                    return JournalPage(records, file.tell(), True)
                record = self._read(payload)
                if record is not None:
                    records.append(record)
            return JournalPage(records, file.tell(), False)

    def _read(self, payload: bytes) -> Record | None:
        try:
            kind, *parts = _decode(payload)
            if kind == _FIELDS:
                self._decoder = EventDecoder(parts[0])
                return None
            if kind == _INTENT:
                return Intent(*parts)
            event = parts[_EVENT_PLACE]
            if event is not None and self._decoder is not None:
                parts[_EVENT_PLACE] = self._decoder.event(event)
            return TryEnded(*parts)
        except (ValueError, TypeError, AttributeError, IndexError, RecursionError):
            self.damaged += 1
            return None

    async def sync(self) -> None:
        if self._file >= 0:
            await _unless_broken(self._thread, lambda: os.fsync(self._file))

    def close(self) -> None:
        file, lock, self._file, self._lock = self._file, self._lock, -1, -1
        for descriptor in (file, lock):
            if descriptor >= 0:
                os.close(descriptor)


def _packed(record: Record) -> tuple[Any, ...]:
    if isinstance(record, Intent):
        return (_INTENT, *record)
    parts: list[Any] = [_ENDED, *record]
    if record.event is not None:
        parts[1 + _EVENT_PLACE] = framed_event(record.event)[HEADER.size :]
    return tuple(parts)


def _next_payload(file: BinaryIO) -> bytes | None:
    """The next record that is whole; damaged ones are passed over. None at the end."""
    while len(header := file.read(HEADER.size)) == HEADER.size:
        size_bytes, checksum = HEADER.unpack(header)
        if not 0 < size_bytes <= RECORD_SIZE_BYTES_MAX:
            return None
        payload = file.read(size_bytes)
        if len(payload) < size_bytes:
            return None
        if zlib.crc32(payload) == checksum:
            return payload
    return None


def _whole_bytes(file: BinaryIO) -> int:
    """Where the last whole record ends; lengths are followed, contents are not read."""
    end = os.fstat(file.fileno()).st_size
    at = 0
    while at + HEADER.size <= end:
        file.seek(at)
        size_bytes, _ = HEADER.unpack(file.read(HEADER.size))
        behind = at + HEADER.size + size_bytes
        if not 0 < size_bytes <= RECORD_SIZE_BYTES_MAX or behind > end:
            break
        at = behind
    return at


async def _unless_broken(thread: BlockingThread, work: Callable[[], Result]) -> Result:
    try:
        return await thread.call(work)
    except OSError as error:
        raise StoreUnavailable(
            f"the batch's journal cannot be used: {error.strerror}", retry_after_s=5.0
        ) from error
