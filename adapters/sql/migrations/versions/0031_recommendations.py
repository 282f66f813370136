"""Recommendations with what was decided about them, and what is done once for a period."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

TABLES = ("cost_optimizations", "period_marks")


def upgrade() -> None:
    op.create_table(
        "cost_optimizations",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("optimization_id", sa.Text(), primary_key=True),
        sa.Column("analytics_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("saving_low_nano_usd", sa.BigInteger()),
        sa.Column("estimated_saving_nano_usd", sa.BigInteger()),
        sa.Column("saving_high_nano_usd", sa.BigInteger()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_at_us", sa.BigInteger()),
        sa.Column("decided_by", sa.Text(), nullable=False),
    )
    op.create_index("ix_cost_optimizations_analytics", "cost_optimizations", ["analytics_id"])
    op.create_table(
        "period_marks",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("start_us", sa.BigInteger(), primary_key=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            for statement in protection(table):
                op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in reversed(TABLES):
            for statement in unprotection(table):
                op.execute(statement)
    op.drop_table("period_marks")
    op.drop_table("cost_optimizations")
