"""The open holds of this process in a file that other processes can read when it is gone.

A place is written into a memory mapping, which belongs to the kernel: it survives SIGKILL from that moment,
and no request waits for a disk. See `adapters.disk.board_format` for what lies in the files.
"""

import hashlib
import json
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from adapters.disk.board_format import (
    AT_RISK_OFFSET,
    ATTEMPT_ID_SIZE_BYTES_MAX,
    BOARD_FILE,
    CHECKSUM,
    COMMITTED_PLACE,
    GROUPS_DRAFT,
    GROUPS_FILE,
    HEADER,
    MAGIC,
    PLACE,
    PLACE_SIZE_BYTES,
    VERSION,
    checksum,
    group_line,
    machine_start,
    remove_board,
)
from application.ports.hold_board import HoldBoard, HoldGroup
from domain.errors import StoreUnavailable

PLACES_FIRST: Final = 1024
PLACES_MAX: Final = 262_144
"""32 MiB; the limits on concurrent requests end long before."""
GROUPS_SIZE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Then the groups file is written anew, with what open holds still refer to."""
RETRY_AFTER_S: Final = 1.0


def _reserve(descriptor: int, start: int, size: int) -> None:
    """Makes the disk promise the space: a full disk must be an error here, not a SIGBUS at the first use."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, start, size)
        return
    for offset in range(start, start + size, mmap.PAGESIZE):
        os.pwrite(descriptor, bytes(mmap.PAGESIZE), offset)


def _line(fact: dict[str, Any]) -> bytes:
    return json.dumps(fact).encode() + b"\n"


def _unwritable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"the accounts of an open hold cannot be written: {error}", retry_after_s=RETRY_AFTER_S
    )


class DiskHoldBoard(HoldBoard):
    """Belongs to one event loop; only `sync` may run in another thread. `open` comes first.

    Holds survive the death of the process from the moment `put` returns. A power cut is noticed, and then
    the leases of this process are not given back but booked (docs/adr/0010).
    """

    def __init__(
        self,
        *,
        places_first: int = PLACES_FIRST,
        places_max: int = PLACES_MAX,
        groups_size_bytes_max: int = GROUPS_SIZE_BYTES_MAX,
        reserve: Callable[[int, int, int], None] = _reserve,
        write: Callable[[int, bytes], int] = os.write,
        started: Callable[[], str] = machine_start,
    ) -> None:
        self._places_first = places_first
        self._places_max = places_max
        self._groups_size_bytes_max = groups_size_bytes_max
        self._reserve = reserve
        self._write = write
        self._started = started
        self._folder: Path | None = None
        self._map: mmap.mmap | None = None
        self._board = -1
        self._lines = -1
        self._lines_size_bytes = 0
        self._lines_anew_at = groups_size_bytes_max
        self._places = 0
        self._free: list[int] = []
        self._holders: dict[str, None] = {}
        self._numbers: dict[int, tuple[int, HoldGroup]] = {}
        """By the group's identity: hashing a group costs more than writing a place."""
        self._groups: dict[int, HoldGroup] = {}
        self._texts: dict[str, str] = {}
        self._last_number = 0
        self._at_risk = False

    @property
    def open_holds(self) -> int:
        return self._places - len(self._free)

    def open(self, folder: Path) -> None:
        """The files will be made in this process's own folder, once there is something to note."""
        self._folder = folder

    def announce(self, holder: str) -> None:
        self._note({"holder": holder})
        self._holders[holder] = None

    def retire(self, holder: str) -> None:
        self._holders.pop(holder, None)
        try:
            self._append({"closed": holder})
        except OSError:
            return  # closing it once more changes nothing

    def put(self, attempt_id: str, held_nano_usd: int, group: HoldGroup) -> int:
        text = attempt_id.encode("utf-8", "replace")
        known = self._numbers.get(id(group))
        if known is None or len(text) > ATTEMPT_ID_SIZE_BYTES_MAX:
            number, text = self._noted(group, text)
        else:
            number = known[0]
        if not self._free:
            self._more_places()
        place = self._free[-1]
        body = PLACE.pack(held_nano_usd, number, len(text), text)
        # Whatever part of this a sudden death leaves does not match its checksum, and nothing was sent yet.
        mapping = self._mapping() if self._map is None else self._map
        COMMITTED_PLACE.pack_into(mapping, place * PLACE_SIZE_BYTES, checksum(body), body)
        self._free.pop()
        return place

    def clear(self, place: int) -> None:
        mapping = self._map
        if mapping is None or not 0 < place <= self._places:
            return
        start = place * PLACE_SIZE_BYTES
        if CHECKSUM.unpack_from(mapping, start)[0]:
            CHECKSUM.pack_into(mapping, start, 0)
            self._free.append(place)

    def rows_at_risk(self, at_risk: bool) -> None:
        """Notes whether rows are in memory only: if the process dies then, its places do not tell all."""
        self._at_risk = at_risk
        if self._map is not None:
            self._map[AT_RISK_OFFSET] = at_risk

    def sync(self) -> None:
        """Puts what was written before this call on the disk. Raises OSError."""
        for descriptor in (self._lines, self._board):
            if descriptor >= 0:
                # Also writes what was changed through the mapping, and waits without the interpreter lock.
                os.fsync(descriptor)

    def close(self) -> None:
        """Ends the board. What is still open or announced stays for the next process to find. Idempotent."""
        folder, self._folder = self._folder, None
        if folder is None:
            return
        if self._map is None:
            return
        self._map.close()
        self._map = None
        for descriptor in (self._board, self._lines):
            os.close(descriptor)
        self._board = self._lines = -1
        if not self.open_holds and not self._holders:
            try:
                remove_board(folder, damaged=False)
            except OSError:
                return  # found again, and then removed

    # Places

    def _mapping(self) -> mmap.mmap:
        if self._map is not None:
            return self._map
        if self._folder is None:
            raise StoreUnavailable("the board of open holds is closed", retry_after_s=RETRY_AFTER_S)
        try:
            return self._make(self._folder)
        except OSError as error:
            raise StoreUnavailable(
                f"the board of open holds cannot be made: {error}", retry_after_s=RETRY_AFTER_S
            ) from error

    def _make(self, folder: Path) -> mmap.mmap:
        """Both files, or none."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        board = lines = -1
        try:
            board = os.open(folder / BOARD_FILE, flags, 0o600)
            lines = os.open(folder / GROUPS_FILE, flags | os.O_APPEND, 0o600)
            first = _line({"started": self._started()})
            if self._write(lines, first) != len(first):
                raise OSError("the disk is full")
            self._board = board
            self._grow()
        except OSError:
            self._board = -1
            for descriptor in (board, lines):
                if descriptor >= 0:
                    os.close(descriptor)
            raise
        self._lines, self._lines_size_bytes = lines, len(first)
        assert self._map is not None, "growing maps it"
        return self._map

    def _more_places(self) -> None:
        if self._places >= self._places_max:
            raise StoreUnavailable("no place is left for another open hold", retry_after_s=RETRY_AFTER_S)
        try:
            self._grow()
        except (OSError, ValueError) as error:
            raise StoreUnavailable(
                f"the disk has no room for another open hold: {error}", retry_after_s=RETRY_AFTER_S
            ) from error

    def _grow(self) -> None:
        places = min(self._places_max, max(self._places_first, 2 * self._places))
        old_size = (self._places + 1) * PLACE_SIZE_BYTES if self._places else 0
        size = (places + 1) * PLACE_SIZE_BYTES
        self._reserve(self._board, old_size, size - old_size)
        mapping = mmap.mmap(self._board, size)
        if not self._places:
            HEADER.pack_into(mapping, 0, MAGIC, VERSION, PLACE_SIZE_BYTES, self._at_risk)
        if self._map is not None:
            self._map.close()
        self._map = mapping
        # The last place is handed out first: few pages change while few holds are open.
        self._free.extend(range(places, self._places, -1))
        self._places = places

    # Lines

    def _noted(self, group: HoldGroup, text: bytes) -> tuple[int, bytes]:
        """The group's number, and the id as it fits a place; both are in the groups file then."""
        # Before anything is looked up: what no open hold refers to is left out.
        self._keep_lines_short()
        known = self._numbers.get(id(group))
        if known is None:
            number = self._last_number + 1
            self._note(group_line(number, group))
            self._last_number = number
            self._numbers[id(group)] = known = (number, group)
            self._groups[number] = group
        if len(text) > ATTEMPT_ID_SIZE_BYTES_MAX:
            digest = hashlib.sha256(text).hexdigest()
            if digest not in self._texts:
                self._note({"id": digest, "text": text.decode()})
                self._texts[digest] = text.decode()
            text = digest.encode()
        return known[0], text

    def _note(self, fact: dict[str, Any]) -> None:
        self._mapping()
        try:
            self._append(fact)
        except OSError as error:
            raise _unwritable(error) from error

    def _append(self, fact: dict[str, Any]) -> None:
        if self._lines < 0:
            return
        line = _line(fact)
        try:
            written = self._write(self._lines, line)
        except OSError:
            written = -1
        if written != len(line):
            # Half a line would swallow the next one.
            os.ftruncate(self._lines, self._lines_size_bytes)
            raise OSError("the disk is full")
        self._lines_size_bytes += written

    def _keep_lines_short(self) -> None:
        if self._folder is None or self._lines_size_bytes < self._lines_anew_at:
            return
        try:
            self._write_lines_anew(self._folder)
        except OSError as error:
            raise _unwritable(error) from error
        self._lines_anew_at = max(self._groups_size_bytes_max, 2 * self._lines_size_bytes)

    def _write_lines_anew(self, folder: Path) -> None:
        """Leaves out what no open hold refers to. The new file replaces the old one whole or not at all."""
        used, texts = self._referred()
        facts: list[dict[str, Any]] = [{"started": self._started()}]
        facts += [{"holder": holder} for holder in self._holders]
        facts += [group_line(number, self._groups[number]) for number in sorted(used)]
        facts += [{"id": digest, "text": self._texts[digest]} for digest in sorted(texts)]
        content = b"".join(map(_line, facts))
        draft = folder / GROUPS_DRAFT
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            if self._write(descriptor, content) != len(content):
                raise OSError("the disk is full")
            draft.rename(folder / GROUPS_FILE)
            # Under the old number, which another thread may be syncing.
            os.dup2(descriptor, self._lines, inheritable=False)
        finally:
            os.close(descriptor)
        self._lines_size_bytes = len(content)
        self._groups = {number: self._groups[number] for number in used}
        self._numbers = {id(group): (number, group) for number, group in self._groups.items()}
        self._texts = {digest: self._texts[digest] for digest in texts}

    def _referred(self) -> tuple[set[int], set[str]]:
        """Numbers of groups and digests of ids that open holds refer to."""
        numbers, texts = set(), set()
        mapping = self._mapping()
        for place in range(1, self._places + 1):
            start = place * PLACE_SIZE_BYTES
            if CHECKSUM.unpack_from(mapping, start)[0]:
                _, number, length, text = PLACE.unpack_from(mapping, start + CHECKSUM.size)
                numbers.add(number)
                digest = text[:length].decode("utf-8", "replace")
                if digest in self._texts:
                    texts.add(digest)
        return numbers, texts
