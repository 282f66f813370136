"""The audit trail: entries in chains, the log over them, its checkpoints, and what stands for old entries."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.audit_protection import protection, unprotection
from adapters.sql.partitions import partitioned_table

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TEXTS = (
    "kind", "action", "outcome", "actor_kind", "actor_id", "actor_name", "role", "address", "subject",
    "request_id",
)  # fmt: skip


def _number(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=False, autoincrement=False, **options)


def _hash(name: str = "hash") -> sa.Column:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _text(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False, **options)


def upgrade() -> None:
    partitioned_table(
        op,
        "audit_entries",
        _text("tenant_id"),
        _number("seq"),
        _number("written_at_us"),
        _number("at_us"),
        *(_text(name) for name in _TEXTS),
        _number("refers_to"),
        _text("details"),
        _hash(),
        key=("tenant_id", "seq"),
        by="written_at_us",
        sqlite_with_rowid=False,
    )
    where = sa.text("kind <> 'access'")
    op.create_index(
        "ix_audit_entries_not_accesses",
        "audit_entries",
        ["tenant_id", "seq"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_table(
        "audit_heads",
        _text("tenant_id", primary_key=True),
        _number("seq"),
        _hash(),
        _number("written_at_us"),
    )
    op.create_table(
        "audit_checkpoints",
        _number("size", primary_key=True),
        _number("previous_size", unique=True),
        _number("at_us"),
        _text("note"),
        _hash("peaks"),
    )
    op.create_table(
        "audit_stretches",
        _text("tenant_id", primary_key=True),
        _number("first_seq", primary_key=True),
        _number("last_seq"),
        _number("first_index", unique=True),
    )
    op.create_table(
        "audit_nodes",
        sa.Column("level", sa.Integer(), primary_key=True, autoincrement=False),
        _number("number", primary_key=True),
        _hash(),
        sqlite_with_rowid=False,
    )
    op.create_table("audit_removed", _number("index", primary_key=True), _hash())
    op.create_table(
        "audit_anchors",
        _text("tenant_id", primary_key=True),
        _number("seq", primary_key=True),
        _hash(),
        _text("note"),
    )
    for statement in protection(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    for table in (
        "audit_anchors",
        "audit_removed",
        "audit_nodes",
        "audit_stretches",
        "audit_checkpoints",
        "audit_heads",
        "audit_entries",
    ):
        op.drop_table(table)
    for statement in unprotection(op.get_bind().dialect.name):
        op.execute(statement)
