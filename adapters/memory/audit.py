"""The audit trail in memory: for tests."""

from bisect import bisect_right
from collections.abc import Sequence

from application.ports.audit import (
    AuditLog,
    AuditQuestion,
    AuditRetention,
    AuditStore,
    CheckpointSink,
    LoggedCheckpoint,
    Stretch,
)
from application.ports.system import Clock
from domain.audit.anchor import Anchor
from domain.audit.chain import ChainHead, empty_chain, extend
from domain.audit.entry import AuditDraft, AuditEntry, canonical
from domain.audit.merkle import Node
from domain.errors import StoreUnavailable


class InMemoryAuditStore(AuditStore, AuditLog, AuditRetention):
    """All three roles over the same lists. `reachable` may be taken away."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reachable = True
        self._entries: dict[str, dict[int, AuditEntry]] = {}
        self._heads: dict[str, ChainHead] = {}
        self._checkpoints: list[LoggedCheckpoint] = []
        self._stretches: list[Stretch] = []
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._anchors: dict[str, Anchor] = {}
        self._removed: dict[int, bytes] = {}

    async def append(self, drafts: Sequence[AuditDraft]) -> list[AuditEntry]:
        self._check()
        now_us = int(self._clock.utc_now().timestamp() * 1_000_000)
        made = []
        for draft in drafts:
            tenant_id = draft.tenant_id
            head = self._heads.get(tenant_id) or empty_chain(tenant_id)
            [entry], self._heads[tenant_id] = extend(head, [(draft, canonical(draft))], now_us)
            self._entries.setdefault(tenant_id, {})[entry.seq] = entry
            made.append(entry)
        return made

    async def find(self, question: AuditQuestion) -> list[AuditEntry]:
        self._check()
        theirs = self._entries.get(question.tenant_id, {})
        found = [entry for _, entry in sorted(theirs.items(), reverse=True) if _answers(question, entry)]
        return found[: question.limit]

    async def read(self, tenant_id: str, first_seq: int, limit: int) -> list[AuditEntry]:
        self._check()
        theirs = self._entries.get(tenant_id, {})
        return [entry for seq, entry in sorted(theirs.items()) if seq >= first_seq][:limit]

    async def outcomes(self, tenant_id: str, begun: Sequence[int]) -> dict[int, AuditEntry]:
        self._check()
        wanted = set(begun)
        theirs = self._entries.get(tenant_id, {}).values()
        return {entry.draft.refers_to: entry for entry in theirs if entry.draft.refers_to in wanted}

    async def heads(self) -> dict[str, ChainHead]:
        self._check()
        return dict(self._heads)

    async def newest(self) -> LoggedCheckpoint | None:
        self._check()
        return self._checkpoints[-1] if self._checkpoints else None

    async def logged_heads(self) -> dict[str, ChainHead]:
        self._check()
        ends = {each.tenant_id: each.last_seq for each in self._stretches}
        return {tenant_id: ChainHead(seq, self._hash(tenant_id, seq), 0) for tenant_id, seq in ends.items()}

    def _hash(self, tenant_id: str, seq: int) -> bytes:
        entry = self._entries[tenant_id].get(seq)
        return entry.hash if entry else self._anchors[tenant_id].hash

    async def hashes(self, tenant_id: str, first_seq: int, limit: int) -> list[bytes]:
        return [entry.hash for entry in await self.read(tenant_id, first_seq, limit)]

    async def extend(
        self, checkpoint: LoggedCheckpoint, stretches: Sequence[Stretch], nodes: Sequence[Node]
    ) -> bool:
        self._check()
        size = self._checkpoints[-1].size if self._checkpoints else 0
        if checkpoint.previous_size != size:
            return False
        self._checkpoints.append(checkpoint)
        self._stretches.extend(stretches)
        self._nodes.update({(node.level, node.number): node.hash for node in nodes})
        return True

    async def checkpoints(self, below_size: int | None, limit: int) -> list[LoggedCheckpoint]:
        self._check()
        found = [each for each in self._checkpoints if below_size is None or each.size < below_size]
        return found[::-1][:limit]

    async def checkpoints_from(self, size: int, limit: int) -> list[LoggedCheckpoint]:
        self._check()
        return [each for each in self._checkpoints if each.size >= size][:limit]

    async def stretches(self, first_index: int, limit: int) -> list[Stretch]:
        self._check()
        starts = [each.first_index for each in self._stretches]
        begin = max(0, bisect_right(starts, first_index) - 1)
        return self._stretches[begin : begin + limit]

    async def place(self, tenant_id: str, seq: int) -> int | None:
        self._check()
        for each in self._stretches:
            if each.tenant_id == tenant_id and each.first_seq <= seq <= each.last_seq:
                return each.first_index + seq - each.first_seq
        return None

    async def nodes(self, level: int, first: int, end: int) -> list[bytes]:
        self._check()
        return [self._nodes[level, number] for number in range(first, end) if (level, number) in self._nodes]

    async def removed(self, first_index: int, end: int) -> dict[int, bytes]:
        self._check()
        return {index: hashed for index, hashed in self._removed.items() if first_index <= index < end}

    async def anchors(self) -> list[Anchor]:
        self._check()
        return list(self._anchors.values())

    async def cuts(self, before_us: int) -> dict[str, ChainHead]:
        self._check()
        found = {}
        for tenant_id, entries in self._entries.items():
            old = [entry for entry in entries.values() if entry.written_at_us < before_us]
            if old:
                last = max(old)
                found[tenant_id] = ChainHead(last.seq, last.hash, last.written_at_us)
        return found

    async def remove(self, anchors: Sequence[Anchor], leaves: Sequence[tuple[int, bytes]]) -> int:
        self._check()
        self._removed.update(leaves)
        gone = 0
        for anchor in anchors:
            self._anchors[anchor.tenant_id] = anchor
            theirs = self._entries[anchor.tenant_id]
            for seq in [seq for seq in theirs if seq <= anchor.seq]:
                del theirs[seq]
                gone += 1
        return gone

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the audit store is not reachable")


def _answers(question: AuditQuestion, entry: AuditEntry) -> bool:
    draft = entry.draft
    return (
        (question.before_seq is None or entry.seq < question.before_seq)
        and (question.from_us is None or draft.at_us >= question.from_us)
        and (question.to_us is None or draft.at_us < question.to_us)
        and (not question.kinds or draft.kind in question.kinds)
        and (not question.actor or question.actor in (draft.actor_id, draft.actor_name))
        and all(
            not (wanted := getattr(question, name)) or getattr(draft, name) == wanted
            for name in ("action", "subject", "outcome", "request_id")
        )
    )


class RememberingSink(CheckpointSink):
    """Keeps what it was handed. `reachable` may be taken away."""

    name = "memory"

    def __init__(self) -> None:
        self.reachable = True
        self.notes: list[str] = []

    async def publish(self, note: str) -> None:
        if not self.reachable:
            raise StoreUnavailable("nobody listens")
        self.notes.append(note)
