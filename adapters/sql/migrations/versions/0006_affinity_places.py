"""Where conversations were answered, so that they keep their prompt cache across restarts and instances."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "affinity_places",
        sa.Column("key", sa.LargeBinary(), primary_key=True),
        sa.Column("target_id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("prefix_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("long", sa.Boolean(), nullable=False),
        sa.Column("used_at_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_affinity_places_revision", "affinity_places", ["revision"])
    op.create_index("ix_affinity_places_used_at_us", "affinity_places", ["used_at_us"])


def downgrade() -> None:
    op.drop_index("ix_affinity_places_used_at_us", "affinity_places")
    op.drop_index("ix_affinity_places_revision", "affinity_places")
    op.drop_table("affinity_places")
