"""How a hold board lies on the disk, and how a dead process's board is read.

    holds.board     places of 128 bytes: a checksum (0: free), then the hold; the first place is the header
    holds.groups    one line of JSON per fact: which machine start, which holder, which group, which long id

A place that does not match its checksum was being written or being freed when the process died. In both cases
nothing depends on it: its attempt was not sent yet, or its row is in the journal. More than one such place
cannot come from dying, and makes the board a damaged one.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from application.ports.hold_board import AbandonedHolds, HoldGroup, OpenHold

BOARD_FILE: Final = "holds.board"
GROUPS_FILE: Final = "holds.groups"
GROUPS_DRAFT: Final = ".holds.groups.new"
DAMAGED_FOLDER: Final = "damaged"

PLACE_SIZE_BYTES: Final = 128
ATTEMPT_ID_SIZE_BYTES_MAX: Final = 110
PLACE: Final = struct.Struct("<qIH110s")
"""Held nano-dollars, number of the group, length of the id, the id."""
CHECKSUM: Final = struct.Struct("<I")
COMMITTED_PLACE: Final = struct.Struct("<I124s")
HEADER: Final = struct.Struct("<8sHHB")
"""Magic, version, size of a place, and whether rows are in memory only."""
MAGIC: Final = b"IXHOLDS\n"
VERSION: Final = 1
AT_RISK_OFFSET: Final = HEADER.size - 1
TORN_PLACES_MAX: Final = 1


def checksum(body: bytes) -> int:
    """Never 0, which is how a free place begins."""
    return zlib.crc32(body) or 1


def group_line(number: int, group: HoldGroup) -> dict[str, Any]:
    return {
        "group": number,
        "holder": group.holder,
        "payer": group.payer,
        "leased": group.leased,
        "soft": group.soft,
    }


def machine_start() -> str:
    """Names the time since the machine was started; the same in all its containers. Empty: not known here."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class _Groups:
    """What the lines of the groups file say."""

    def __init__(self, path: Path) -> None:
        self.started = ""
        self.holders: dict[str, None] = {}
        self.groups: dict[int, HoldGroup] = {}
        self.texts: dict[str, str] = {}
        self.damaged = False
        # What follows the last line end was being written, and nothing refers to it yet.
        for line in path.read_bytes().split(b"\n")[:-1]:
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                self.damaged = True

    def _take(self, fact: dict[str, Any]) -> None:
        if "group" in fact:
            leased, soft = tuple(map(str, fact["leased"])), tuple(map(str, fact["soft"]))
            group = HoldGroup(str(fact["holder"]), str(fact["payer"]), leased, soft)
            self.groups[int(fact["group"])] = group
        elif "holder" in fact:
            self.holders[str(fact["holder"])] = None
        elif "closed" in fact:
            self.holders.pop(str(fact["closed"]), None)
        elif "text" in fact:
            self.texts[str(fact["id"])] = str(fact["text"])
        else:
            self.started = str(fact["started"])


def read_board(folder: Path, *, started: str, lossy: bool = False) -> AbandonedHolds | None:
    """What a dead process left on its board; None: there is none, or nobody announced on it is left.

    `started` is the machine start of now: what a power cut interrupted may be older than it looks, so such a
    board counts as damaged. So does one beside which rows were lost (`lossy`). Raises OSError.
    """
    try:
        known = _Groups(folder / GROUPS_FILE)
    except FileNotFoundError:
        return None
    if not (known.holders or known.groups or known.damaged):
        return None
    damaged = known.damaged or known.started != started or lossy
    try:
        board = (folder / BOARD_FILE).read_bytes()
    except FileNotFoundError:
        return AbandonedHolds(tuple(known.holders), (), damaged=True)
    if (
        len(board) < PLACE_SIZE_BYTES
        or board[:AT_RISK_OFFSET] != HEADER.pack(MAGIC, VERSION, PLACE_SIZE_BYTES, 0)[:AT_RISK_OFFSET]
    ):
        return AbandonedHolds(tuple(known.holders), (), damaged=True)
    holds: list[OpenHold] = []
    torn = 0
    for body in _taken_places(board):
        hold = None if body is None else _hold(body, known)
        if hold is not None:
            holds.append(hold)
        elif body is None:
            torn += 1
        else:
            damaged = True
    damaged = damaged or torn > TORN_PLACES_MAX or board[AT_RISK_OFFSET] != 0
    return AbandonedHolds(tuple(known.holders), holds, damaged=damaged)


def _taken_places(board: bytes) -> Iterator[bytes | None]:
    """The content of each place that is not free; None: it does not match its checksum."""
    for start in range(PLACE_SIZE_BYTES, len(board) - PLACE_SIZE_BYTES + 1, PLACE_SIZE_BYTES):
        (expected,) = CHECKSUM.unpack_from(board, start)
        if expected:
            body = board[start + CHECKSUM.size : start + PLACE_SIZE_BYTES]
            yield body if checksum(body) == expected else None


def _hold(body: bytes, known: _Groups) -> OpenHold | None:
    held, number, length, text = PLACE.unpack(body)
    group = known.groups.get(number)
    if group is None or held < 0 or length > ATTEMPT_ID_SIZE_BYTES_MAX:
        return None
    attempt_id = text[:length].decode("utf-8", "replace")
    return OpenHold(known.texts.get(attempt_id, attempt_id), held, group)


def remove_board(folder: Path, *, damaged: bool) -> None:
    """Puts the board of a dead process away once all of it was posted; a damaged one is kept for a person.

    Safe to be interrupted: without the groups file there is nothing to recover. Raises OSError.
    """
    if damaged:
        kept = folder.parent / DAMAGED_FOLDER
        kept.mkdir(mode=0o700, exist_ok=True)
        for name in (BOARD_FILE, GROUPS_FILE):
            path = folder / name
            if path.exists():
                path.rename(kept / f"{folder.name}-{name}")
    for name in (GROUPS_FILE, BOARD_FILE, GROUPS_DRAFT):
        (folder / name).unlink(missing_ok=True)
