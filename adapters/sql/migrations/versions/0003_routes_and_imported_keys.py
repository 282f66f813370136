"""Routes made through the API, keys imported from elsewhere, and requests by when they ended."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_routes",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
    )
    op.create_table(
        "route_generation",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO route_generation (id, generation) VALUES (1, 0)")
    op.add_column("api_keys", sa.Column("scheme", sa.Text(), nullable=False, server_default="own"))
    op.add_column("api_keys", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    finished = sa.text("(started_at_us + duration_us)")
    op.create_index("ix_usage_requests_finished", "usage_requests", [finished])
    op.create_index("ix_usage_requests_tenant_finished", "usage_requests", ["tenant_id", finished])


def downgrade() -> None:
    op.drop_index("ix_usage_requests_tenant_finished", "usage_requests")
    op.drop_index("ix_usage_requests_finished", "usage_requests")
    op.drop_column("api_keys", "note")
    op.drop_column("api_keys", "scheme")
    op.drop_table("route_generation")
    op.drop_table("api_routes")
