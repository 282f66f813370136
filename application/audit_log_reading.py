"""Reading the log over the audit trail: leaves, roots of parts, and proofs."""

from application.ports.audit import AuditLog
from domain.audit.merkle import (
    KEPT_LEVELS,
    Frontier,
    Span,
    consistency_spans,
    fold,
    inclusion_spans,
    node_hash,
    subtrees,
)
from domain.errors import NotFound


class LogReading:
    """Every answer is made from at most a few hundred hashes, however long the log is.

    Methods raise StoreUnavailable, and NotFound where leaves are missing that should be there.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def leaves(self, first: int, end: int) -> list[bytes]:
        """The data of these leaves: hashes of entries."""
        found: list[bytes] = []
        removed = await self._log.removed(first, end)
        for stretch in await self._log.stretches(first, end - first):
            begin = max(first, stretch.first_index)
            finish = min(end, stretch.first_index + stretch.last_seq - stretch.first_seq + 1)
            while begin < finish and begin in removed:
                found.append(removed[begin])
                begin += 1
            if begin < finish:
                seq = stretch.first_seq + begin - stretch.first_index
                found += await self._log.hashes(stretch.tenant_id, seq, finish - begin)
        if len(found) != end - first:
            raise NotFound(f"of leaves {first} to {end - 1} of the audit log, {len(found)} are there")
        return found

    async def root_of(self, span: Span) -> bytes:
        """The root over a span as paths name them."""
        return fold([await self._subtree(level, number) for level, number in subtrees(span)])

    async def _subtree(self, level: int, number: int) -> bytes:
        kept = level // KEPT_LEVELS * KEPT_LEVELS
        first, end = number << (level - kept), (number + 1) << (level - kept)
        if not kept:
            part = Frontier()
            for leaf in await self.leaves(first, end):
                part.append(leaf)
            return part.root()
        hashes = await self._log.nodes(kept, first, end)
        if len(hashes) != end - first:
            raise NotFound(f"hashes of level {kept} of the audit log are missing after number {first}")
        while len(hashes) > 1:
            hashes = [node_hash(*hashes[at : at + 2]) for at in range(0, len(hashes), 2)]
        return hashes[0]

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """The path from a leaf to the root of `size` leaves. Raises ValueError for a leaf beyond it."""
        return [await self.root_of(span) for span in inclusion_spans(index, size)]

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """The path that proves the log of `new` leaves to begin with the one of `old`. Raises ValueError."""
        return [await self.root_of(span) for span in consistency_spans(old, new)]
