"""What attempts counted beside tokens: pictures, seconds of sound, characters, searches."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("usage_attempts", sa.Column("units", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("usage_attempts", "units")
