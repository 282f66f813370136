"""Pools of budget leases, and the processes that share them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lease_pools",
        sa.Column("pool", sa.Text(), primary_key=True),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("made_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "lease_pool_members",
        sa.Column("holder", sa.Text(), primary_key=True),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("left_at_us", sa.BigInteger()),
    )
    op.create_index("ix_lease_pool_members_pool", "lease_pool_members", ["pool"])


def downgrade() -> None:
    op.drop_index("ix_lease_pool_members_pool", "lease_pool_members")
    op.drop_table("lease_pool_members")
    op.drop_table("lease_pools")
