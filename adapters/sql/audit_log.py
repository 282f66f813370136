"""The log over the audit trail, in the database."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from adapters.sql.audit_tables import (
    audit_anchors,
    audit_checkpoints,
    audit_entries,
    audit_nodes,
    audit_removed,
    audit_stretches,
)
from adapters.sql.database import Database
from application.ports.audit import AuditLog, LoggedCheckpoint, Stretch
from domain.audit.chain import ChainHead
from domain.audit.merkle import Node

_ENTRIES: Final = audit_entries.c
_STRETCHES: Final = audit_stretches.c
_HASH_SIZE_BYTES: Final = 32


class SqlAuditLog(AuditLog):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self) -> LoggedCheckpoint | None:
        found = await self.checkpoints(None, 1)
        return found[0] if found else None

    async def logged_heads(self) -> dict[str, ChainHead]:
        last = select(func.max(_STRETCHES.last_seq).label("seq"), _STRETCHES.tenant_id)
        last_of = last.group_by(_STRETCHES.tenant_id).subquery()
        # Of a tenant whose entries were all removed, the anchor says what the last one's hash was.
        places = (
            (table, (table.c.tenant_id == last_of.c.tenant_id) & (table.c.seq == last_of.c.seq))
            for table in (audit_entries, audit_anchors)
        )
        joined: Any = last_of
        for table, at in places:
            joined = joined.outerjoin(table, at)
        hashed = func.coalesce(_ENTRIES.hash, audit_anchors.c.hash).label("hash")
        hashes = select(last_of.c.tenant_id, last_of.c.seq, hashed).select_from(joined)

        def work(connection: Connection) -> dict[str, ChainHead]:
            return {
                row.tenant_id: ChainHead(row.seq, bytes(row.hash or b""), 0)
                for row in connection.execute(hashes)
            }

        return await self._database.read(work)

    async def hashes(self, tenant_id: str, first_seq: int, limit: int) -> list[bytes]:
        asked = (
            select(_ENTRIES.hash)
            .where(_ENTRIES.tenant_id == tenant_id, _ENTRIES.seq >= first_seq)
            .order_by(_ENTRIES.seq)
            .limit(limit)
        )
        return await self._hashes(asked)

    async def extend(
        self, checkpoint: LoggedCheckpoint, stretches: Sequence[Stretch], nodes: Sequence[Node]
    ) -> bool:
        values = {**checkpoint._asdict(), "peaks": b"".join(checkpoint.peaks)}

        def work(connection: Connection) -> None:
            connection.execute(insert(audit_checkpoints), values)
            if stretches:
                connection.execute(insert(audit_stretches), [each._asdict() for each in stretches])
            if nodes:
                connection.execute(insert(audit_nodes), [each._asdict() for each in nodes])

        try:
            await self._database.write(work, alone=False)
        except IntegrityError:
            return False
        return True

    async def checkpoints(self, below_size: int | None, limit: int) -> list[LoggedCheckpoint]:
        columns = audit_checkpoints.c
        asked = select(audit_checkpoints).order_by(columns.size.desc()).limit(limit)
        if below_size is not None:
            asked = asked.where(columns.size < below_size)
        return [_checkpoint(row) for row in await self._rows(asked)]

    async def checkpoints_from(self, size: int, limit: int) -> list[LoggedCheckpoint]:
        columns = audit_checkpoints.c
        asked = select(audit_checkpoints).where(columns.size >= size).order_by(columns.size).limit(limit)
        return [_checkpoint(row) for row in await self._rows(asked)]

    async def stretches(self, first_index: int, limit: int) -> list[Stretch]:
        begin = (
            select(func.max(_STRETCHES.first_index))
            .where(_STRETCHES.first_index <= first_index)
            .scalar_subquery()
        )
        asked = (
            select(audit_stretches)
            .where(_STRETCHES.first_index >= func.coalesce(begin, first_index))
            .order_by(_STRETCHES.first_index)
            .limit(limit)
        )
        return [Stretch(*row) for row in await self._rows(asked)]

    async def place(self, tenant_id: str, seq: int) -> int | None:
        asked = (
            select(audit_stretches)
            .where(_STRETCHES.tenant_id == tenant_id, _STRETCHES.first_seq <= seq)
            .order_by(_STRETCHES.first_seq.desc())
            .limit(1)
        )
        for row in await self._rows(asked):
            if seq <= row.last_seq:
                return int(row.first_index + seq - row.first_seq)
        return None

    async def nodes(self, level: int, first: int, end: int) -> list[bytes]:
        columns = audit_nodes.c
        asked = (
            select(columns.hash)
            .where(columns.level == level, columns.number >= first, columns.number < end)
            .order_by(columns.number)
        )
        return await self._hashes(asked)

    async def removed(self, first_index: int, end: int) -> dict[int, bytes]:
        columns = audit_removed.c
        asked = select(audit_removed).where(columns.index >= first_index, columns.index < end)
        return {row.index: bytes(row.hash) for row in await self._rows(asked)}

    async def _hashes(self, asked: Any) -> list[bytes]:
        """A column of them; made in the database's thread, because there may be many."""
        return await self._database.read(
            lambda connection: [bytes(hashed) for (hashed,) in connection.execute(asked).fetchall()]
        )

    async def _rows(self, asked: Any) -> list[Any]:
        return await self._database.read(lambda connection: list(connection.execute(asked)))


def _checkpoint(row: Any) -> LoggedCheckpoint:
    return LoggedCheckpoint(row.size, row.previous_size, row.at_us, row.note, _peaks(bytes(row.peaks)))


def _peaks(joined: bytes) -> tuple[bytes, ...]:
    return tuple(
        joined[start : start + _HASH_SIZE_BYTES] for start in range(0, len(joined), _HASH_SIZE_BYTES)
    )
