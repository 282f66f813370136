"""The whole trail from its beginning to its end, as records: what exports hold and what is verified."""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from application.audit_log_reading import LogReading
from application.ports.audit import AuditLog, AuditRetention, AuditStore, LoggedCheckpoint, Stretch
from domain.audit.anchor import Anchor, RemovedLeaves, removed_leaves
from domain.audit.chain import ChainHead
from domain.audit.checkpoint import parse_note
from domain.audit.entry import AuditEntry
from domain.audit.merkle import Frontier
from domain.audit.verification import Finding, Signatures, TrailCheck

PAGE: Final = 1000
BLOCK: Final = 256
"""Leaves of one kept node: removed parts of the log end at multiples of it, plus single leaves."""


class Beginning(NamedTuple):
    """What stands for what was removed: anchors, the log's edge, and from which leaf on none is gone."""

    anchors: tuple[Anchor, ...]
    size: int
    peaks: tuple[bytes, ...]
    removed_until: int


class PlacedEntry(NamedTuple):
    """An entry with its leaf; None: in no checkpoint yet."""

    leaf: int | None
    entry: AuditEntry


class RemovedLeaf(NamedTuple):
    """A leaf whose entry was removed while neighbours in the log stayed."""

    leaf: int
    hash: bytes
    tenant_id: str
    seq: int


class Note(NamedTuple):
    """A checkpoint, after the last entry it is about."""

    note: str


class End(NamedTuple):
    """Where the store says each chain ends."""

    heads: dict[str, ChainHead]


Record = Beginning | PlacedEntry | RemovedLeaf | Note | End


class AuditWalk:
    """Reads page by page while others write: what comes after its beginning is not in it."""

    def __init__(self, store: AuditStore, audit_log: AuditLog, retention: AuditRetention) -> None:
        self._store = store
        self._log = audit_log
        self._retention = retention

    async def records(self) -> AsyncIterator[Record]:
        """First `Beginning`, last `End`. Raises StoreUnavailable, NotFound for a log with holes."""
        heads = await self._store.heads()
        newest = await self._log.newest()
        size = 0 if newest is None else newest.size
        beginning = await self._beginning()
        yield beginning
        checkpoints = _Pages(self._log, beginning.size)
        logged: dict[str, int] = {anchor.tenant_id: anchor.seq for anchor in beginning.anchors}
        index = beginning.size
        while index < size:
            stretches = await self._log.stretches(index, PAGE)
            if not stretches:
                break
            for stretch in stretches:
                if stretch.first_index >= size:
                    break
                async for record in self._stretch(stretch, index):
                    yield record
                index = stretch.first_index + stretch.last_seq - stretch.first_seq + 1
                logged[stretch.tenant_id] = stretch.last_seq
                async for note in checkpoints.up_to(index):
                    yield note
            else:
                continue
            break
        async for record in self._rest(heads, logged):
            yield record
        yield End(heads)

    async def _beginning(self) -> Beginning:
        anchors = tuple(sorted(await self._retention.anchors()))
        if not anchors:
            return Beginning((), 0, (), 0)
        reading, span = LogReading(self._log), RemovedLeaves(0, 0)
        for anchor in anchors:
            # Each removal has one note for all tenants. One that was changed is found by its signature.
            try:
                told = removed_leaves(parse_note(anchor.note)[0])
            except ValueError:
                continue
            span = max(span, told, key=lambda each: each.until)
        peaks = [
            await reading.root_of((start, start + (1 << level))) for start, level in _complete(span.first)
        ]
        return Beginning(anchors, span.first, tuple(peaks), span.until)

    async def _stretch(self, stretch: Stretch, from_index: int) -> AsyncIterator[Record]:
        """A stretch from this leaf on. Entries that are missing are left to whoever checks."""
        end_index = stretch.first_index + stretch.last_seq - stretch.first_seq + 1
        seq = stretch.first_seq + max(0, from_index - stretch.first_index)
        removed = await self._log.removed(stretch.first_index, end_index)
        while (index := stretch.first_index + seq - stretch.first_seq) in removed:
            yield RemovedLeaf(index, removed[index], stretch.tenant_id, seq)
            seq += 1
        while seq <= stretch.last_seq:
            page = await self._store.read(stretch.tenant_id, seq, min(PAGE, stretch.last_seq - seq + 1))
            theirs = [entry for entry in page if entry.seq <= stretch.last_seq]
            for entry in theirs:
                yield PlacedEntry(stretch.first_index + entry.seq - stretch.first_seq, entry)
            if not theirs:
                return
            seq = theirs[-1].seq + 1

    async def _rest(self, heads: dict[str, ChainHead], logged: dict[str, int]) -> AsyncIterator[Record]:
        """Entries that are in no checkpoint yet, up to what the heads said."""
        for tenant_id, head in sorted(heads.items()):
            seq = logged.get(tenant_id, 0) + 1
            while seq <= head.seq:
                page = await self._store.read(tenant_id, seq, min(PAGE, head.seq - seq + 1))
                theirs = [entry for entry in page if entry.seq <= head.seq]
                for entry in theirs:
                    yield PlacedEntry(None, entry)
                if not theirs:
                    break
                seq = theirs[-1].seq + 1


class _Pages:
    """Checkpoints in their order."""

    def __init__(self, audit_log: AuditLog, from_size: int) -> None:
        self._log = audit_log
        self._next_size = from_size + 1
        self._page: list[LoggedCheckpoint] = []

    async def up_to(self, size: int) -> AsyncIterator[Note]:
        while True:
            if not self._page:
                if self._next_size > size:
                    return
                self._page = await self._log.checkpoints_from(self._next_size, PAGE)
                if not self._page:
                    return
            if self._page[0].size > size:
                self._next_size = self._page[0].size
                return
            checkpoint = self._page.pop(0)
            self._next_size = checkpoint.size + 1
            yield Note(checkpoint.note)


def _complete(size: int) -> list[tuple[int, int]]:
    """Begin and level of the complete subtrees the first `size` leaves consist of."""
    found, start = [], 0
    while start < size:
        level = (size - start).bit_length() - 1
        found.append((start, level))
        start += 1 << level
    return found


class TrailVerification:
    """Takes records and says what is wrong with them. The first one has to be `Beginning`."""

    def __init__(self, signatures: Signatures, kept_elsewhere: tuple[str, ...] = ()) -> None:
        self._signatures = signatures
        self._kept_elsewhere = kept_elsewhere
        self._check = TrailCheck(signatures)
        self._ended = False

    @property
    def entries(self) -> int:
        """How many were seen."""
        return self._check.entries

    @property
    def confirmed_size(self) -> int:
        """Up to which leaf a good checkpoint confirmed the log."""
        return self._check.confirmed_size

    def take(self, record: Record) -> None:
        """The next record. Raises ValueError for a beginning that cannot be one."""
        check = self._check
        if isinstance(record, PlacedEntry):
            check.entry(record.entry, record.leaf)
        elif isinstance(record, Note):
            check.note(record.note)
        elif isinstance(record, RemovedLeaf):
            check.removed_leaf(*record)
        elif isinstance(record, Beginning):
            self._check = TrailCheck(
                self._signatures,
                kept_elsewhere=self._kept_elsewhere,
                anchors=record.anchors,
                prefix=Frontier(record.size, record.peaks),
                removed_until=record.removed_until,
            )
        else:
            self._ended = True
            for tenant_id, head in sorted(record.heads.items()):
                check.head(tenant_id, head)

    def findings(self) -> list[Finding]:
        """After the last record: everything that is wrong, the first entry of each chain first."""
        found = self._check.end()
        return found if self._ended else [*found, Finding("end", "the export was cut off: it has no end")]
