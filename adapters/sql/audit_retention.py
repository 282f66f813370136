"""Removing old entries of the audit trail from the database, behind anchors."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, and_, delete, func, or_, select

from adapters.sql.audit_rows import insert_new
from adapters.sql.audit_tables import audit_anchors, audit_entries, audit_removed
from adapters.sql.database import Database
from adapters.sql.partitions import drop_part, partitions_of
from application.ports.audit import AuditRetention
from domain.audit.anchor import Anchor
from domain.audit.chain import ChainHead

ROWS_PER_ROUND: Final = 2000
_C: Final = audit_entries.c


class SqlAuditRetention(AuditRetention):
    """On PostgreSQL whole months go, as parts are dropped; on SQLite rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def anchors(self) -> list[Anchor]:
        columns = audit_anchors.c
        newest = select(columns.tenant_id, func.max(columns.seq).label("seq")).group_by(columns.tenant_id)
        of = newest.subquery()
        asked = select(audit_anchors).join(
            of, and_(columns.tenant_id == of.c.tenant_id, columns.seq == of.c.seq)
        )

        def work(connection: Connection) -> list[Anchor]:
            return [
                Anchor(row.tenant_id, row.seq, bytes(row.hash), row.note) for row in connection.execute(asked)
            ]

        return await self._database.read(work)

    async def cuts(self, before_us: int) -> dict[str, ChainHead]:
        def work(connection: Connection) -> dict[str, ChainHead]:
            cut_us = before_us
            if connection.dialect.name == "postgresql":
                ends = [part.to_us or 0 for part in partitions_of(connection, audit_entries.name)]
                cut_us = max((end for end in ends if 0 < end <= before_us), default=0)
            last = select(_C.tenant_id, func.max(_C.seq).label("seq"))
            last_of = last.where(_C.written_at_us < cut_us).group_by(_C.tenant_id).subquery()
            asked = select(_C.tenant_id, _C.seq, _C.hash, _C.written_at_us).join(
                last_of, and_(_C.tenant_id == last_of.c.tenant_id, _C.seq == last_of.c.seq)
            )
            return {
                row.tenant_id: ChainHead(row.seq, bytes(row.hash), row.written_at_us)
                for row in connection.execute(asked)
            }

        return await self._database.read(work)

    async def remove(self, anchors: Sequence[Anchor], leaves: Sequence[tuple[int, bytes]]) -> int:
        def note(connection: Connection) -> None:
            insert_new(connection, audit_anchors, [anchor._asdict() for anchor in anchors])
            insert_new(connection, audit_removed, [{"index": i, "hash": hashed} for i, hashed in leaves])

        await self._database.write(note, alone=False)
        gone = await self._database.write(lambda connection: _drop_parts(connection, anchors), alone=False)
        while some := await self._database.write(
            lambda connection: _delete_some(connection, anchors), alone=False
        ):
            gone += some
        return gone


def _covered(anchors: Sequence[Anchor]) -> list[tuple[str, int]]:
    return [(anchor.tenant_id, anchor.seq) for anchor in anchors]


def _drop_parts(connection: Connection, anchors: Sequence[Anchor]) -> int:
    """Drops each part in which everything is covered, the oldest first. How many rows were in them."""
    gone = 0
    table = audit_entries.name
    for part in partitions_of(connection, table):
        if part.to_us is None or part.from_us is None:
            continue
        inside = and_(_C.written_at_us >= part.from_us, _C.written_at_us < part.to_us)
        last = select(_C.tenant_id, func.max(_C.seq), func.count()).where(inside).group_by(_C.tenant_id)
        found = list(connection.execute(last))
        ends = dict(_covered(anchors))
        if not found or any(seq > ends.get(tenant_id, 0) for tenant_id, seq, _ in found):
            return gone
        if drop_part(connection, table, part.name):
            gone += sum(count for _, _, count in found)
    return gone


def _delete_some(connection: Connection, anchors: Sequence[Anchor]) -> int:
    """Covered entries that lie in no part that could be dropped."""
    covered = [and_(_C.tenant_id == tenant_id, _C.seq <= seq) for tenant_id, seq in _covered(anchors)]
    if not covered:
        return 0
    asked = select(_C.tenant_id, _C.seq).where(or_(*covered)).order_by(_C.tenant_id, _C.seq)
    found = connection.execute(asked.limit(ROWS_PER_ROUND))
    ends: dict[str, int] = {}
    gone = 0
    for tenant_id, seq in found:
        ends[tenant_id] = max(seq, ends.get(tenant_id, 0))
    for tenant_id, seq in ends.items():
        theirs = delete(audit_entries).where(_C.tenant_id == tenant_id, _C.seq <= seq)
        gone += connection.execute(theirs).rowcount
    return gone
