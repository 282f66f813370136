"""Objectives and alerts: what requests add up to, how alerts stand, what happened to them."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_OF_TENANTS = ("alert_states", "alert_history", "alert_findings")
_SUMS = (
    *("requests", "counted", "failed", "errors", "left_out", "lookups", "hits", "priced", "cost_nano_usd"),
    *(f"duration_{number}" for number in range(14)),
    *(f"overhead_{number}" for number in range(11)),
)


def upgrade() -> None:
    op.create_table(
        "sla_measures",
        sa.Column("span_s", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("start_us", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("scope", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alert_states",
        sa.Column("alert_id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_alert_states_tenant_id", "alert_states", ["tenant_id"])
    op.create_table(
        "alert_history",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("value", sa.Double()),
        sa.Column("threshold", sa.Double()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
    )
    op.create_index("ix_alert_history_at", "alert_history", ["tenant_id", "at_us"])
    op.create_table(
        "alert_findings",
        sa.Column("instance", sa.Text(), primary_key=True),
        sa.Column("rule", sa.Text(), primary_key=True),
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("value", sa.Double()),
        sa.Column("judged", sa.Double()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in _OF_TENANTS:
            for statement in protection(table):
                op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _OF_TENANTS:
            for statement in unprotection(table):
                op.execute(statement)
    op.drop_table("alert_findings")
    op.drop_table("alert_history")
    op.drop_table("alert_states")
    op.drop_table("sla_measures")
