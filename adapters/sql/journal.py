"""The usage journal on disk: append-only segments, one folder per process.

A record is on the page cache when `append` returns, so it survives the death of the process; `sync`
puts it on the disk. A folder belongs to the process that holds the lock in it; the kernel drops the
lock when that process dies, however it dies, and another process may then take the folder over.

    journal/<process>/lock            held by its owner
    journal/<process>/00000001.seg    records, oldest first
    journal/<process>/holds.*         what the process's board of open holds keeps there
    journal/damaged/                  segments in which something could not be read, kept for a person
"""

import fcntl
import os
import secrets
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from adapters.sql.event_format import (
    HEADER,
    RECORD_SIZE_BYTES_MAX,
    EventDecoder,
    framed_event,
    framed_fields,
)
from domain.analytics.event import RequestEvent

SEGMENT_SIZE_BYTES_MAX: Final = 16 * 1024 * 1024
TORN_SIZE_BYTES_MAX: Final = 256 * 1024
"""More than this behind a header is not one unfinished record, but a damaged length."""
DAMAGED_FOLDER: Final = "damaged"
LOCK_FILE: Final = "lock"
LOSSY_FILE: Final = "lossy"
"""Beside a dead process's other files, once a segment of it turned out to be damaged."""
SEGMENT_SUFFIX: Final = ".seg"
_DRAFT_PREFIX: Final = ".new-"


class Segment:
    """One file. `waiting` counts its records that are in memory and not yet in the database,
    `spilled` those that are only in the file."""

    __slots__ = (
        "damaged",
        "descriptor",
        "path",
        "sealed",
        "size_bytes",
        "spilled",
        "synced_bytes",
        "waiting",
    )

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size_bytes = 0
        self.synced_bytes = 0
        self.sealed = False
        self.waiting = 0
        self.spilled = 0
        self.damaged = False


class ProcessJournal:
    """The folder of this process. `append` and `seal` belong to one thread; the other methods may
    run in another, one at a time."""

    def __init__(
        self,
        directory: Path,
        *,
        segment_size_bytes_max: int = SEGMENT_SIZE_BYTES_MAX,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self.directory = directory
        self.segments: list[Segment] = []
        self._segment_size_bytes_max = segment_size_bytes_max
        self._write = write
        self._folder: Path | None = None
        self._lock: int | None = None
        self._active: Segment | None = None
        self._number = 0

    @property
    def folder(self) -> Path | None:
        """This process's own, from `open` to `close`."""
        return self._folder

    def open(self) -> None:
        """Makes this process's folder, locked from the moment others can see it. Raises OSError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        draft = self.directory / f"{_DRAFT_PREFIX}{name}"
        draft.mkdir(mode=0o700)
        self._lock = os.open(draft / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._folder = self.directory / name
        draft.rename(self._folder)
        sync_directory(self.directory)

    def append(self, event: RequestEvent) -> Segment | None:
        """The segment that now holds the event, or None when it could not be written."""
        segment = self._active
        if segment is None or segment.size_bytes >= self._segment_size_bytes_max:
            segment = self._next_segment()
            if segment is None:
                return None
        record = framed_event(event)
        return segment if self._put(segment, record) else None

    def _put(self, segment: Segment, record: bytes) -> bool:
        try:
            written = self._write(segment.descriptor, record)
        except OSError:
            written = -1
        if written != len(record):
            # The disk filled up in the middle: take the half record back, so that the next one is readable.
            try:
                os.ftruncate(segment.descriptor, segment.size_bytes)
            except OSError:
                self.seal()
            return False
        segment.size_bytes += written
        return True

    def _next_segment(self) -> Segment | None:
        """A new active segment; the full one when there is no room for another; None without any."""
        if self._folder is None:
            return None
        path = self._folder / f"{self._number + 1:08d}{SEGMENT_SUFFIX}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError:
            return self._active
        segment = Segment(path, descriptor)
        if not self._put(segment, framed_fields()):
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return self._active
        self.seal()
        self._number += 1
        self._active = segment
        self.segments.append(segment)
        return segment

    def seal(self) -> None:
        """Ends the active segment; the next record starts another."""
        if self._active is not None:
            self._active.sealed = True
            self._active = None

    def sync(self) -> None:
        """Puts everything appended before this call on the disk. Raises OSError."""
        for segment in list(self.segments):
            sealed = segment.sealed  # read before the size: a sealed segment no longer grows
            size_bytes = segment.size_bytes
            if segment.descriptor < 0:
                continue
            if segment.synced_bytes == 0 and self._folder is not None:
                sync_directory(self._folder)
            if segment.synced_bytes < size_bytes:
                os.fsync(segment.descriptor)
                segment.synced_bytes = size_bytes
            if sealed:
                # Closed here and not in `seal`, which may run while this thread syncs.
                os.close(segment.descriptor)
                segment.descriptor = -1

    def remove(self, segment: Segment) -> None:
        """Forgets a sealed segment whose rows are safe in the database. Idempotent. Raises OSError."""
        if segment not in self.segments:
            return
        if segment.descriptor >= 0:
            os.close(segment.descriptor)
            segment.descriptor = -1
        _put_away(segment.path, self.directory, damaged=segment.damaged)
        self.segments.remove(segment)

    def close(self) -> None:
        """Gives the folder up; when nothing is left in it, it disappears, else another process takes it
        over."""
        self.seal()
        for segment in self.segments:
            if segment.descriptor >= 0:
                os.close(segment.descriptor)
                segment.descriptor = -1
        if self._folder is not None and not self.segments:
            _remove_folder(self._folder)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self._folder = None


class SegmentReader:
    """The events of one segment, oldest first. A torn tail ends it; a damaged record is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        self._events = self._read()

    def __iter__(self) -> Iterator[RequestEvent]:
        return self._events

    def _read(self) -> Iterator[RequestEvent]:
        decoder: EventDecoder | None = None
        with self.path.open("rb") as file:
            while len(header := file.read(HEADER.size)) == HEADER.size:
                size_bytes, checksum = HEADER.unpack(header)
                if not 0 < size_bytes <= RECORD_SIZE_BYTES_MAX:
                    # Zeros are what a power cut leaves of records that never reached the disk.
                    self.damaged += size_bytes > 0
                    return
                payload = file.read(size_bytes)
                if len(payload) < size_bytes:
                    # One unfinished record at the end is what dying while writing leaves.
                    self.damaged += len(payload) > TORN_SIZE_BYTES_MAX
                    return
                if zlib.crc32(payload) != checksum:
                    self.damaged += 1
                    continue
                try:
                    if decoder is None:
                        decoder = EventDecoder(payload)
                        continue
                    event = decoder.event(payload)
                except (ValueError, TypeError, AttributeError, RecursionError):
                    self.damaged += 1
                    if decoder is None:
                        return
                    continue
                yield event


class AbandonedJournal:
    """The folder of a process that is gone, held by this one until `close`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    def segments(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{SEGMENT_SUFFIX}"))

    @property
    def lossy(self) -> bool:
        """Whether rows of the process were lost."""
        return (self.folder / LOSSY_FILE).exists()

    def remove(self, path: Path, *, damaged: bool) -> None:
        """Forgets one segment whose rows are safe in the database. Raises OSError."""
        if damaged:
            (self.folder / LOSSY_FILE).touch(mode=0o600)
        _put_away(path, self.folder.parent, damaged=damaged)

    def close(self) -> None:
        """Gives the folder up; when nothing is left in it, it disappears."""
        _remove_folder(self.folder)
        os.close(self._lock)


def abandoned_journals(directory: Path) -> list[AbandonedJournal]:
    """Every folder whose process is gone and that nobody else is taking over, oldest name first."""
    found = []
    for folder in sorted(directory.glob("*")) if directory.is_dir() else []:
        if folder.name.startswith(_DRAFT_PREFIX) or folder.name == DAMAGED_FOLDER or not folder.is_dir():
            continue
        try:
            lock = os.open(folder / LOCK_FILE, os.O_RDWR)
        except OSError:
            continue  # taken over and removed just now
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        found.append(AbandonedJournal(folder, lock))
    return found


def sync_directory(directory: Path) -> None:
    """Puts names of new files on the disk. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_away(path: Path, directory: Path, *, damaged: bool) -> None:
    if not damaged:
        path.unlink(missing_ok=True)
        return
    kept = directory / DAMAGED_FOLDER
    kept.mkdir(mode=0o700, exist_ok=True)
    path.rename(kept / f"{path.parent.name}-{path.name}")


def _remove_folder(folder: Path) -> None:
    try:
        if {path.name for path in folder.iterdir()} <= {LOCK_FILE, LOSSY_FILE}:
            (folder / LOSSY_FILE).unlink(missing_ok=True)
            (folder / LOCK_FILE).unlink(missing_ok=True)
            folder.rmdir()
    except OSError:
        pass  # somebody else removed it: harmless
