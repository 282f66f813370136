"""Where workers keep their numbers for each other: a folder of the data directory, wiped at each start.

Each worker has a file of its own, replaced whole, and a lock it holds as long as it lives; the lock tells
the others when it is gone, whatever ended it. The counts of those that ended are added up in one more file,
under a lock, before theirs are removed. A reader takes the workers' files first and the sum last: a file that
went away in between is then in the sum for certain, and one that was read twice is named in it.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from adapters.telemetry.merging import Snapshot, kept_of, merged
from application.ports.telemetry import Metric

_SUFFIX: Final = ".worker"
_LOCK_SUFFIX: Final = ".lock"
_ENDED: Final = "ended"
_TENANTS: Final = "tenants.json"
_SUM_LOCK: Final = "sum.lock"
_NAMES_REMEMBERED: Final = 1000
"""Of workers whose counts are in the sum; a reader needs those of the last moments."""


class Read(NamedTuple):
    """What lies there: of workers that live, and what those that ended left."""

    living: list[Snapshot]
    ended: list[Snapshot]


class WorkerFiles:
    """Blocking; every method may raise OSError. One thread at a time, but for `read`."""

    def __init__(self, folder: Path, listed: Mapping[str, Metric]) -> None:
        self.folder = folder
        self._listed = listed
        self._name = ""
        self._lock: int | None = None
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Snapshot).decode

    def open(self) -> None:
        """Takes a place among the workers."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        # Locked before the others can see it: one that is not would be taken for that of a dead worker.
        draft = self._path(".draft")
        self._lock = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        draft.rename(self._path(_LOCK_SUFFIX))

    def write(self, snapshot: Snapshot) -> None:
        """Replaces what the others see of this worker."""
        _replace(self._path(_SUFFIX), self._encode(snapshot))

    def read(self) -> Read:
        """All there is, this worker's own included."""
        found: dict[str, tuple[Snapshot, bool]] = {}
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            lives = path.stem == self._name or self._lives(path.stem)
            # After the lock was looked at: what a worker wrote last is what counts once it is gone.
            snapshot = self._snapshot(path)
            if snapshot is not None:
                found[path.stem] = (snapshot, lives)
        total = self._snapshot(self.folder / _ENDED)
        for name in () if total is None else total.includes:
            found.pop(name, None)
        living = [snapshot for snapshot, lives in found.values() if lives]
        ended = [
            Snapshot(snapshot.at_s, kept_of(snapshot.families, self._listed), {})
            for snapshot, lives in found.values()
            if not lives
        ]
        return Read(living, ended if total is None else [total, *ended])

    def add_up_ended(self) -> int:
        """Adds the counts of workers that ended to the sum; answers of how many."""
        gone = [
            path
            for path in self.folder.glob(f"*{_LOCK_SUFFIX}")
            if path.stem not in (self._name, "sum") and not self._lives(path.stem)
        ]
        if not gone:
            return 0
        with self._alone() as is_alone:
            if not is_alone:
                return 0
            total = self._snapshot(self.folder / _ENDED) or Snapshot(0.0, [], {})
            for lock in gone:
                snapshot = self._snapshot(lock.with_suffix(_SUFFIX))
                if snapshot is None or lock.stem in total.includes:
                    continue
                kept = (total.families, kept_of(snapshot.families, self._listed))
                names = [*total.includes, lock.stem][-_NAMES_REMEMBERED:]
                total = Snapshot(snapshot.at_s, merged(kept, self._listed), {}, names)
            _replace(self.folder / _ENDED, self._encode(total))
            for lock in gone:
                lock.with_suffix(_SUFFIX).unlink(missing_ok=True)
                lock.unlink(missing_ok=True)
        return len(gone)

    def share_tenants(self, candidates: Sequence[str], places: int) -> list[str]:
        """Tenants with series of their own, after as many candidates took a place as there is room for."""
        path = self.folder / _TENANTS
        names = _names(path)
        wanted = [name for name in candidates if name not in names][: max(0, places - len(names))]
        if not wanted:
            return names
        with self._alone() as is_alone:
            if is_alone:
                names = _names(path)
                names += [name for name in wanted if name not in names][: max(0, places - len(names))]
                _replace(path, json.dumps(names).encode())
        return names

    def close(self) -> None:
        """Gives the place up; what was written last stays counted. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def wipe(self) -> None:
        """Forgets all of an earlier life; for whoever starts the workers."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{self._name}{suffix}"

    def _snapshot(self, path: Path) -> Snapshot | None:
        try:
            return self._decode(path.read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            return None  # gone, or of another version

    def _lives(self, name: str) -> bool:
        try:
            descriptor = os.open(self.folder / f"{name}{_LOCK_SUFFIX}", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether nobody else changes what is shared; False: try again later."""
        descriptor = os.open(self.folder / _SUM_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


def _names(path: Path) -> list[str]:
    with contextlib.suppress(OSError, ValueError):
        found: Iterable[object] = json.loads(path.read_bytes())
        return [name for name in found if isinstance(name, str)]
    return []


def _replace(path: Path, content: bytes) -> None:
    """A reader sees the old or the new, never a half. Not synced: nothing of this outlives the machine."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
