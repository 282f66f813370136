"""Turning keys: which rows still wait, when it is due, and which key may be dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from domain.errors import Conflict, NotFound
from domain.vault.credential import StoredCredential


class RotationKind(Enum):
    """What turns."""

    MASTER = "master"
    """A new key encryption key where the source makes them; every row comes under the primary one."""
    DATA = "data"
    """Every row gets a data key of its own anew."""


class KeyInfo(NamedTuple):
    """A key encryption key by its id. `made_at` None: the source does not say."""

    key_id: str
    made_at: datetime | None = None


class KeyList(NamedTuple):
    """What a source holds. The primary one is first; it seals, all of them open."""

    keys: tuple[KeyInfo, ...]
    makes_keys: bool

    @property
    def primary(self) -> KeyInfo:
        return self.keys[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One rotation, whoever works on it. It is over when no row waits any more; killed in between, the rows
    themselves say where to go on."""

    rotation_id: str
    kind: RotationKind
    started_at: datetime
    started_by: str
    total: int
    done: int = 0
    failed: int = 0
    finished_at: datetime | None = None

    def waits(self, row: StoredCredential, primary: str) -> bool:
        """Whether the row is still to be sealed again."""
        if row.key_id != primary:
            return True
        return self.kind is RotationKind.DATA and row.sealed_at < self.started_at

    def needs_a_key(self, keys: KeyList) -> bool:
        """Whether it begins with a new key: the source can make one and has made none since."""
        if self.kind is not RotationKind.MASTER or not keys.makes_keys:
            return False
        made_at = keys.primary.made_at
        return made_at is None or made_at < self.started_at

    def counted(self, *, done: int, failed: int) -> "Rotation":
        """After a batch."""
        return replace(self, done=done, failed=failed, total=max(self.total, done + failed))

    def finished(self, now: datetime) -> "Rotation":
        return replace(self, finished_at=now)


def may_start(last: Rotation | None) -> None:
    """Raises Conflict while another one is under way: it is to be resumed, not overtaken."""
    if last is not None and last.finished_at is None:
        raise Conflict(
            f"rotation {last.rotation_id} of {last.started_at.isoformat()} is under way; it is resumed, not "
            "started twice"
        )


def is_due(
    every_days: int | None, *, last: Rotation | None, first_sealed_at: datetime | None, now: datetime
) -> bool:
    """Whether a scheduled rotation should begin: so long after the last one began, or after the vault did."""
    if every_days is None:
        return False
    since = first_sealed_at if last is None else last.started_at
    return since is not None and now - since >= timedelta(days=every_days)


def check_retirement(key_id: str, keys: Sequence[KeyInfo], rows_by_key: Mapping[str, int]) -> None:
    """Raises NotFound, or Conflict: what is primary or used is never dropped."""
    if key_id not in {key.key_id for key in keys}:
        raise NotFound(f"no key {key_id[:80]!r} among the vault's", param="key_id")
    if key_id == keys[0].key_id:
        raise Conflict(f"{key_id} is the key that seals; rotate first")
    if used := rows_by_key.get(key_id, 0):
        raise Conflict(f"{used} credentials are under {key_id}; rotate first")
