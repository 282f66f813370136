"""On PostgreSQL the end of a request is a column: policies let an index be entered by a column, not by a sum.

An addition could fail, and tell by failing, so PostgreSQL checks policies before it adds; a generated column
is there already. Adding it writes the table anew, about ten seconds for a million rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_usage_requests_finished", ()),
    ("ix_usage_requests_tenant_finished", ("tenant_id",)),
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        "ALTER TABLE usage_requests ADD COLUMN finished_at_us bigint "
        "GENERATED ALWAYS AS (started_at_us + duration_us) STORED"
    )
    for name, before in _INDEXES:
        op.drop_index(name, "usage_requests")
        op.create_index(name, "usage_requests", [*before, "finished_at_us"])


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, before in _INDEXES:
        op.drop_index(name, "usage_requests")
        op.create_index(name, "usage_requests", [*before, sa.text("(started_at_us + duration_us)")])
    op.drop_column("usage_requests", "finished_at_us")
