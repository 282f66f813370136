"""Sums of usage tell the kinds of tasks apart."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A constant only: neither database rewrites a table for it, and older versions go on adding sums.
    op.add_column("usage_rollups", sa.Column("task", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    # Groups that differed by their task stay apart, under their ids; all their sums stay.
    op.drop_column("usage_rollups", "task")
