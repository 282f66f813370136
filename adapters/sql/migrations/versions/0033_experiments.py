"""Experiments, and on each request the experiment and arm it was answered in."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Constants only: neither database rewrites a table for them, and older versions go on writing rows.
    for name in ("experiment", "arm"):
        op.add_column("usage_requests", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    some = sa.text("experiment <> ''")
    op.create_index(
        "ix_usage_requests_experiment",
        "usage_requests",
        ["experiment", "started_at_us"],
        sqlite_where=some,
        postgresql_where=some,
    )
    op.create_table(
        "experiments",
        sa.Column("experiment_id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("tenant_id", "name", name="uq_experiments_tenant_name"),
    )
    op.create_table(
        "experiment_generation",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO experiment_generation (id, generation) VALUES (1, 0)")
    if op.get_bind().dialect.name == "postgresql":
        for statement in protection("experiments"):
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in unprotection("experiments"):
            op.execute(statement)
    op.drop_table("experiment_generation")
    op.drop_table("experiments")
    op.drop_index("ix_usage_requests_experiment", "usage_requests")
    for name in ("arm", "experiment"):
        op.drop_column("usage_requests", name)
