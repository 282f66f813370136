"""Credentials of others, under keys that are not in the database."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vault_credentials",
        sa.Column("credential_id", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("integration", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.UniqueConstraint("tenant_id", "name", name="uq_vault_credentials_tenant_id"),
    )
    op.create_index("ix_vault_credentials_key_id", "vault_credentials", ["key_id"])
    op.create_table(
        "vault_manifests",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
    )
    op.create_table("vault_retired_keys", sa.Column("key_id", sa.Text(), primary_key=True))
    op.create_table(
        "vault_state",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("rotation", sa.Text()),
    )
    op.execute("INSERT INTO vault_state (id, generation) VALUES (1, 0)")


def downgrade() -> None:
    op.drop_table("vault_state")
    op.drop_table("vault_retired_keys")
    op.drop_table("vault_manifests")
    op.drop_index("ix_vault_credentials_key_id", "vault_credentials")
    op.drop_table("vault_credentials")
