"""Rate limits made through the API, and what was taken of limits."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_limits",
        sa.Column("limit_id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("tenant_id", "name", name="uq_rate_limits_tenant_name"),
    )
    op.create_table(
        "rate_limit_generation",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO rate_limit_generation (id, generation) VALUES (1, 0)")
    op.create_table(
        "limit_units",
        sa.Column("account_id", sa.Text(), primary_key=True),
        sa.Column("level_ns", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_limit_units_ends_us", "limit_units", ["ends_us"])


def downgrade() -> None:
    op.drop_index("ix_limit_units_ends_us", "limit_units")
    op.drop_table("limit_units")
    op.drop_table("rate_limit_generation")
    op.drop_table("rate_limits")
