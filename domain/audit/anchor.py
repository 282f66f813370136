"""What stands for entries that were removed because they were old enough.

An anchor says, signed, how far each chain was cut and what the hash of the last removed entry was. Nothing
else may be missing from a trail.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from domain.audit.chain import ChainHead

_LEAVES: Final = re.compile(r"leaves ([0-9]{1,18}) ([0-9]{1,18})")


class Anchor(NamedTuple):
    """The entries of a tenant up to `seq` were removed; the last one's hash was `hash`. `note` is signed."""

    tenant_id: str
    seq: int
    hash: bytes
    note: str


class RemovedLeaves(NamedTuple):
    """Before leaf `first`, where a block begins, only hashes of subtrees are left of the log; from
    there up to `until` single leaves stand for removed entries, among others that are there."""

    first: int
    until: int


def anchor_text(
    origin: str, at_us: int, before_us: int, leaves: RemovedLeaves, cuts: Mapping[str, ChainHead]
) -> str:
    """What is signed: who removed entries written before `before_us`, when, and where each chain was cut."""
    lines = (cut_line(tenant, cut.seq, cut.hash) for tenant, cut in sorted(cuts.items()))
    head = f"{origin}\nremoved at {at_us} what was written before {before_us}\n"
    return f"{head}leaves {leaves.first} {leaves.until}\n" + "".join(lines)


def removed_leaves(text: str) -> RemovedLeaves:
    """Raises ValueError for what `anchor_text` does not write."""
    lines = text.split("\n")
    found = _LEAVES.fullmatch(lines[2]) if len(lines) > 3 else None
    if found is None:
        raise ValueError("what should say which entries were removed does not")
    return RemovedLeaves(int(found[1]), int(found[2]))


def cut_line(tenant_id: str, seq: int, hashed: bytes) -> str:
    """How one chain's cut stands in the text."""
    return f"cut {tenant_id} {seq} {hashed.hex()}\n"


def covers(text: str, anchor: Anchor) -> bool:
    """Whether the signed text is about this cut."""
    return cut_line(anchor.tenant_id, anchor.seq, anchor.hash) in text.splitlines(keepends=True)[3:]


def anchor_id(note: str) -> str:
    """Short name of a note, for entries that speak of it."""
    return hashlib.sha256(note.encode()).hexdigest()[:16]
