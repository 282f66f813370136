"""The tables of the audit trail."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, text

from adapters.sql.schema import metadata

audit_entries: Final = Table(
    "audit_entries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("written_at_us", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    *(
        Column(name, Text, nullable=False)
        for name in (
            "kind", "action", "outcome", "actor_kind", "actor_id", "actor_name", "role", "address", "subject",
            "request_id",
        )
    ),
    Column("refers_to", BigInteger, nullable=False),
    Column("details", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip
Index(
    "ix_audit_entries_not_accesses",
    audit_entries.c.tenant_id,
    audit_entries.c.seq,
    sqlite_where=text("kind <> 'access'"),
    postgresql_where=text("kind <> 'access'"),
)
"""One row per entry, in the order of `AuditEntry`. Triggers refuse whatever is neither INSERT nor the removal
of entries that an anchor covers. Partitioned by `written_at_us` on PostgreSQL."""

audit_heads: Final = Table(
    "audit_heads",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("written_at_us", BigInteger, nullable=False),
)
"""Where each chain ends; its row's lock gives entries their order."""

audit_checkpoints: Final = Table(
    "audit_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("previous_size", BigInteger, nullable=False, unique=True),
    Column("at_us", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
)
"""Each extends one other, and each other is extended once: so several instances make one log."""

audit_stretches: Final = Table(
    "audit_stretches",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("first_index", BigInteger, nullable=False, unique=True),
)
"""Which entries became which leaves."""

audit_nodes: Final = Table(
    "audit_nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Complete subtrees of every eighth level."""

audit_removed: Final = Table(
    "audit_removed",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)
"""Leaves whose entries were removed while neighbours stayed."""

audit_anchors: Final = Table(
    "audit_anchors",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
)
"""What stands for removed entries. An anchor is what opens the way for their removal."""

APPEND_ONLY: Final = (
    audit_checkpoints.name, audit_stretches.name, audit_nodes.name, audit_removed.name, audit_anchors.name,
)  # fmt: skip
"""Of these nothing is ever changed or removed; of `audit_entries` only what an anchor covers."""
AUDIT_WRITER: Final = "interchange_audit_writer"
"""A role of PostgreSQL that may add to the trail and read it."""
