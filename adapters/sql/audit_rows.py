"""Entries as rows, and putting drafts behind the heads of their chains within a transaction."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Row, Table, bindparam, select, update

from adapters.sql.audit_tables import audit_entries, audit_heads
from adapters.sql.upserts import insert_into
from adapters.sql.usage_inserts import Rows, rows_into
from domain.audit.chain import ChainHead, empty_chain, link
from domain.audit.entry import AuditDraft, AuditEntry

Bodies = Sequence[tuple[AuditDraft, bytes]]
"""Drafts, each with its canonical body."""
_HEADS: Final = audit_heads.c
_TENANTS_MAX: Final = 10_000
"""Tenants whose chains are known to have begun; a set of names, forgotten as a whole."""


def entry_of(row: Row[Any]) -> AuditEntry:
    """A row of all columns."""
    values: tuple[Any, ...] = tuple(row)
    tenant_id, seq, written_at_us = values[:3]
    return AuditEntry(seq, written_at_us, AuditDraft(tenant_id, *values[3:-1]), bytes(values[-1]))


class ChainWriter:
    """Appends to chains in the caller's transaction.

    Heads are locked in the order of their tenants' names, so that several writers wait for one another
    instead of standing in each other's way for ever. Drafts of one tenant keep their order.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._rows: Rows = rows_into(audit_entries, dialect)
        self._new_head = insert_into(dialect, audit_heads).on_conflict_do_nothing()
        self._move_head = (
            update(audit_heads)
            .where(_HEADS.tenant_id == bindparam("whose"))
            .values(seq=bindparam("to_seq"), hash=bindparam("to_hash"), written_at_us=bindparam("to_us"))
        )
        self._there: set[str] = set()

    def append(
        self, connection: Connection, drafts: Mapping[str, Bodies], now_us: int
    ) -> dict[str, ChainHead]:
        """By tenant, where its chain ended before: its drafts come next, written at `now_us` or later."""
        heads = self._locked(connection, sorted(drafts))
        rows: list[tuple[Any, ...]] = []
        moved = []
        for tenant_id, theirs in drafts.items():
            seq, before, written_at_us = heads[tenant_id]
            written_at_us = max(written_at_us, now_us)
            for draft, body in theirs:
                # As `extend` does, without an object in between: this is done for every request.
                seq += 1
                before = link(before, seq, written_at_us, body)
                rows.append((tenant_id, seq, written_at_us, *draft[1:], before))
            moved.append({"whose": tenant_id, "to_seq": seq, "to_hash": before, "to_us": written_at_us})
        self._rows.run(connection, rows)
        connection.execute(self._move_head, moved)
        return heads

    def _locked(self, connection: Connection, tenants: list[str]) -> dict[str, ChainHead]:
        theirs = _HEADS.tenant_id.in_(tenants)
        if not self._there.issuperset(tenants):
            self._begin(connection, tenants)
        found = connection.execute(
            select(audit_heads).where(theirs).order_by(_HEADS.tenant_id).with_for_update()
        ).all()
        if len(found) < len(tenants):  # one was removed since it was seen, with its tenant
            self._begin(connection, tenants)
            found = connection.execute(
                select(audit_heads).where(theirs).order_by(_HEADS.tenant_id).with_for_update()
            ).all()
        return {row.tenant_id: ChainHead(row.seq, bytes(row.hash), row.written_at_us) for row in found}

    def _begin(self, connection: Connection, tenants: list[str]) -> None:
        """Makes heads for chains that have none."""
        theirs = _HEADS.tenant_id.in_(tenants)
        there = set(connection.execute(select(_HEADS.tenant_id).where(theirs)).scalars())
        missing = [tenant_id for tenant_id in tenants if tenant_id not in there]
        if missing:
            # Before any lock is taken: another writer may make the same ones now, and whoever is second
            # waits here for the first.
            rows = [{"tenant_id": each, **empty_chain(each)._asdict()} for each in missing]
            connection.execute(self._new_head, rows)
        if len(self._there) + len(there) > _TENANTS_MAX:
            self._there.clear()
        # Those made here are not known yet: the transaction may be undone.
        self._there |= there


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows that are there already are left alone."""
    if rows:
        statement = insert_into(connection.dialect, table).on_conflict_do_nothing()
        connection.execute(statement, [dict(row) for row in rows])
