"""Which requests were traced, and the trace that an event's request belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Constants only: neither database rewrites a table for them, and older versions go on writing rows.
    op.add_column(
        "usage_requests", sa.Column("traced", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("outbox", sa.Column("trace", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("outbox", "trace")
    op.drop_column("usage_requests", "traced")
