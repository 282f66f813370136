"""Keys and usage rows name team, project and cost centre; attempts tell what they did to budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ADDED = (
    *(
        (table, column)
        for table in ("api_keys", "usage_requests")
        for column in ("team", "project", "cost_center")
    ),
    ("usage_attempts", "ledger"),
)


def upgrade() -> None:
    for table, column in _ADDED:
        op.add_column(table, sa.Column(column, sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    for table, column in reversed(_ADDED):
        op.drop_column(table, column)
