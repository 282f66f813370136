"""Usage rows tell which provider key was used, which prices applied, and why a target was chosen."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ADDED = (
    ("usage_attempts", "credential"),
    ("usage_attempts", "billed_as"),
    ("usage_requests", "affinity"),
    ("usage_requests", "reason"),
)


def upgrade() -> None:
    for table, column in _ADDED:
        op.add_column(table, sa.Column(column, sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    for table, column in reversed(_ADDED):
        op.drop_column(table, column)
