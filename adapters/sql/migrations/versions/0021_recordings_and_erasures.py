"""Recorded prompts and answers, what is forgotten of users, and whose stored answers are."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.partitions import partitioned_table
from adapters.sql.row_security import protection

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    partitioned_table(
        op,
        "recordings",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("recorded_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("truncated", sa.Boolean(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        key=("tenant_id", "request_id", "part"),
        by="expires_at_us",
    )
    op.create_index("ix_recordings_user", "recordings", ["tenant_id", "user_id"])
    op.create_index("ix_recordings_expires", "recordings", ["expires_at_us"])
    op.create_table(
        "recorded_days",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("day", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("erasure_id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("started_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_at_us", sa.BigInteger()),
        sa.Column("claimed_until_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_erasures_tenant", "erasures", ["tenant_id", "started_at_us"])
    op.add_column("stored_answers", sa.Column("user_id", sa.Text(), nullable=False, server_default=""))
    if op.get_bind().dialect.name == "postgresql":
        for table in ("recordings", "recorded_days", "erasures"):
            for statement in protection(table):
                op.execute(statement)


def downgrade() -> None:
    op.drop_column("stored_answers", "user_id")
    op.drop_table("erasures")
    op.drop_table("recorded_days")
    op.drop_table("recordings")
