"""Tenants, their projects and their roles. Tenants that have keys are known from now on."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("described", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("demands", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger()),
        sa.Column("updated_at_us", sa.BigInteger()),
    )
    op.create_table(
        "projects",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("cost_center", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger()),
        sa.Column("updated_at_us", sa.BigInteger()),
    )
    op.create_table(
        "roles",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger()),
        sa.Column("updated_at_us", sa.BigInteger()),
    )
    op.create_table(
        "tenancy_generations",
        sa.Column("of", sa.Text(), primary_key=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    for name in ("tenants", "roles"):
        op.execute(f"INSERT INTO tenancy_generations VALUES ('{name}', 0)")  # noqa: S608
    op.execute(
        "INSERT INTO tenants (tenant_id, described, state, name, organisation, demands, created_at_us) "
        "SELECT tenant_id, false, 'active', '', '', '{}', min(created_at_us) FROM api_keys "
        "GROUP BY tenant_id"
    )
    op.execute(
        "INSERT INTO tenants (tenant_id, described, state, name, organisation, demands) "
        "SELECT 'default', false, 'active', '', '', '{}' "
        "WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE tenant_id = 'default')"
    )


def downgrade() -> None:
    for table in ("tenancy_generations", "roles", "projects", "tenants"):
        op.drop_table(table)
