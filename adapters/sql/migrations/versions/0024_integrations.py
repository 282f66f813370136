"""Integrations made through the API, and how they were doing."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from adapters.sql.row_security import protection, unprotection

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = ("integrations", "integration_health_checks", "integration_health_claims")


def upgrade() -> None:
    json = sa.JSON().with_variant(JSONB(), "postgresql")
    op.create_table(
        "integrations",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("integration_id", sa.Text(), primary_key=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("configuration", json, nullable=False),
        sa.Column("circuit_breaker_config", json, nullable=False),
        sa.Column("monitoring_config", json, nullable=False),
        sa.Column("credentials", json, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
    )
    op.create_index("ix_integrations_type", "integrations", ["type"])
    op.create_index("ix_integrations_created", "integrations", ["created_at_us"])
    op.create_table(
        "integration_generation",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO integration_generation (id, generation) VALUES (1, 0)")
    op.create_table(
        "integration_health_checks",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("integration_id", sa.Text(), primary_key=True),
        sa.Column("checked_at_us", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("latency_ms", sa.Double()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_integration_health_checks_time", "integration_health_checks", ["checked_at_us"])
    op.create_table(
        "integration_health_claims",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("integration_id", sa.Text(), primary_key=True),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            for statement in protection(table):
                op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in reversed(TABLES):
            for statement in unprotection(table):
                op.execute(statement)
    op.drop_table("integration_health_claims")
    op.drop_index("ix_integration_health_checks_time", "integration_health_checks")
    op.drop_table("integration_health_checks")
    op.drop_table("integration_generation")
    op.drop_index("ix_integrations_created", "integrations")
    op.drop_index("ix_integrations_type", "integrations")
    op.drop_table("integrations")
