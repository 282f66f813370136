"""How likely the first choice of a request's plan was."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # NULL says what is true of older rows: nobody can tell. Neither database rewrites a table for it.
    op.add_column("usage_requests", sa.Column("propensity", sa.Double()))


def downgrade() -> None:
    op.drop_column("usage_requests", "propensity")
