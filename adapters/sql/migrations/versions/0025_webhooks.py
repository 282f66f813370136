"""Webhooks: endpoints, deliveries, attempts; and the order of events, which their readers go by."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_OF_TENANTS = ("webhook_endpoints", "webhook_deliveries", "webhook_attempts")


def upgrade() -> None:
    op.add_column("outbox", sa.Column("seq", sa.BigInteger(), nullable=True))
    op.create_index("ix_outbox_seq", "outbox", ["seq"], unique=True)
    op.create_index("ix_outbox_tenant_seq", "outbox", ["tenant_id", "seq"])
    for name, counted in (("event_position", "seq"), ("webhook_generation", "generation")):
        made = op.create_table(
            name,
            sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
            sa.Column(counted, sa.BigInteger(), nullable=False),
        )
        op.bulk_insert(made, [{"id": 1, counted: 0}])
    _make_endpoints()
    _make_deliveries()
    _make_attempts()
    if op.get_bind().dialect.name == "postgresql":
        for table in _OF_TENANTS:
            for statement in protection(table):
                op.execute(statement)


def _make_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("endpoint_id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("ordered", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_failure_us", sa.BigInteger()),
        sa.Column("failing_since_us", sa.BigInteger()),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_webhook_endpoints_tenant_id", "webhook_endpoints", ["tenant_id"])


def _make_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("endpoint_id", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("settled_at_us", sa.BigInteger()),
        sa.Column("last_outcome", sa.Text(), nullable=False),
        sa.Column("last_status", sa.Integer()),
        sqlite_with_rowid=False,
    )
    for name, columns, condition in (
        ("due", ["endpoint_id", "due_at_us", "seq"], "settled_at_us IS NULL"),
        ("head", ["endpoint_id", "seq"], "settled_at_us IS NULL"),
        ("dead", ["tenant_id", "seq"], "state = 'dead'"),
    ):
        where = sa.text(condition)
        op.create_index(
            f"ix_webhook_deliveries_{name}",
            "webhook_deliveries",
            columns,
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_index("ix_webhook_deliveries_settled", "webhook_deliveries", ["settled_at_us"])


def _make_attempts() -> None:
    op.create_table(
        "webhook_attempts",
        sa.Column("endpoint_id", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("fence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("detail", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_webhook_attempts_at", "webhook_attempts", ["at_us"])


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _OF_TENANTS:
            for statement in unprotection(table):
                op.execute(statement)
    for table in (*reversed(_OF_TENANTS), "webhook_generation", "event_position"):
        op.drop_table(table)
    for name in ("ix_outbox_tenant_seq", "ix_outbox_seq"):
        op.drop_index(name, "outbox")
    with op.batch_alter_table("outbox") as changed:
        changed.drop_column("seq")
