"""The chain of one tenant's entries: each one's hash covers the one before it.

    hash(0) = SHA-256("interchange audit chain\\0" + tenant)
    hash(n) = SHA-256(hash(n-1) + "<seq> <written_at_us> " + canonical(draft))

Whoever changes, removes or inserts an entry has to make every later hash anew; the checkpoints say that they
did.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from domain.audit.entry import AuditDraft, AuditEntry, canonical


class ChainHead(NamedTuple):
    """How far a tenant's chain goes. `written_at_us` is 0 before the first entry."""

    seq: int
    hash: bytes
    written_at_us: int


def empty_chain(tenant_id: str) -> ChainHead:
    """The head of a chain without entries."""
    return ChainHead(0, hashlib.sha256(b"interchange audit chain\0" + tenant_id.encode()).digest(), 0)


def link(before: bytes, seq: int, written_at_us: int, body: bytes) -> bytes:
    """The hash of the entry with this canonical body, after the one with the hash `before`."""
    return hashlib.sha256(b"%b%d %d %b" % (before, seq, written_at_us, body)).digest()


def extend(
    head: ChainHead, drafts: Sequence[tuple[AuditDraft, bytes]], now_us: int
) -> tuple[list[AuditEntry], ChainHead]:
    """The drafts of one tenant, each with its canonical body, as entries behind `head`; and the new head."""
    seq, before, written_at_us = head
    written_at_us = max(written_at_us, now_us)
    entries = []
    for draft, body in drafts:
        seq += 1
        before = link(before, seq, written_at_us, body)
        entries.append(AuditEntry(seq, written_at_us, draft, before))
    return entries, ChainHead(seq, before, written_at_us)


def hash_of(before: bytes, entry: AuditEntry) -> bytes:
    """What the entry's hash has to be after `before`, whatever it says itself."""
    return link(before, entry.seq, entry.written_at_us, canonical(entry.draft))
