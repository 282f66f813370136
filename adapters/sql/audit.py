"""The audit trail in the database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from adapters.sql.audit_rows import Bodies, ChainWriter, entry_of
from adapters.sql.audit_tables import audit_entries, audit_heads
from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from application.ports.audit import AuditQuestion, AuditStore
from application.ports.system import Clock
from domain.audit.chain import ChainHead, extend
from domain.audit.entry import ACCESS, AuditDraft, AuditEntry, canonical

_C: Final = audit_entries.c
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FILTERS: Final = ("action", "subject", "outcome", "request_id")


class SqlAuditStore(AuditStore):
    """Every entry is in the same database as what the act changes, so it is as durable as that."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._writer = ChainWriter(database.dialect)

    async def append(self, drafts: Sequence[AuditDraft]) -> list[AuditEntry]:
        if not drafts:
            return []
        bodies: dict[str, list[tuple[AuditDraft, bytes]]] = {}
        for draft in drafts:
            bodies.setdefault(draft.tenant_id, []).append((draft, canonical(draft)))
        now_us = (self._clock.utc_now() - _EPOCH) // timedelta(microseconds=1)

        chains: dict[str, Bodies] = dict(bodies)

        def work(connection: Connection) -> dict[str, ChainHead]:
            return self._writer.append(connection, chains, now_us)

        try:
            heads = await self._database.write(work, alone=False)
        except REFUSED_VALUES as error:
            raise unavailable(error) from error
        queues = {
            tenant_id: iter(extend(heads[tenant_id], theirs, now_us)[0])
            for tenant_id, theirs in chains.items()
        }
        return [next(queues[draft.tenant_id]) for draft in drafts]

    async def find(self, question: AuditQuestion) -> list[AuditEntry]:
        asked = select(audit_entries).where(_C.tenant_id == question.tenant_id)
        if question.before_seq is not None:
            asked = asked.where(_C.seq < question.before_seq)
        if question.from_us is not None:
            # Nothing is written before it happened, and parts are cut by when it was written.
            asked = asked.where(_C.at_us >= question.from_us, _C.written_at_us >= question.from_us)
        if question.to_us is not None:
            asked = asked.where(_C.at_us < question.to_us)
        if question.kinds:
            asked = asked.where(_C.kind.in_(question.kinds))
        if question.finds_no_access:
            asked = asked.where(_C.kind != ACCESS)  # says that the small index will do
        if question.actor:
            asked = asked.where(or_(_C.actor_id == question.actor, _C.actor_name == question.actor))
        for name in _FILTERS:
            if value := getattr(question, name):
                asked = asked.where(_C[name] == value)
        return await self._entries(asked.order_by(_C.seq.desc()).limit(question.limit))

    async def read(self, tenant_id: str, first_seq: int, limit: int) -> list[AuditEntry]:
        asked = select(audit_entries).where(_C.tenant_id == tenant_id, _C.seq >= first_seq)
        return await self._entries(asked.order_by(_C.seq).limit(limit))

    async def outcomes(self, tenant_id: str, begun: Sequence[int]) -> dict[int, AuditEntry]:
        if not begun:
            return {}
        asked = select(audit_entries).where(
            _C.tenant_id == tenant_id,
            _C.kind != ACCESS,
            _C.seq > min(begun),
            _C.refers_to.in_(begun),
        )
        return {entry.draft.refers_to: entry for entry in await self._entries(asked)}

    async def _entries(self, asked: Any) -> list[AuditEntry]:
        def work(connection: Connection) -> list[AuditEntry]:
            return [entry_of(row) for row in connection.execute(asked)]

        return await self._database.read(work)

    async def heads(self) -> dict[str, ChainHead]:
        def work(connection: Connection) -> dict[str, ChainHead]:
            return {
                row.tenant_id: ChainHead(row.seq, bytes(row.hash), row.written_at_us)
                for row in connection.execute(select(audit_heads))
            }

        return await self._database.read(work)
