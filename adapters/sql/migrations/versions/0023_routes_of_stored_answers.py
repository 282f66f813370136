"""A stored answer knows the route it was asked for by, whose policies hold for whoever fetches it."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stored_answers", sa.Column("route", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("stored_answers") as table:
        table.drop_column("route")
