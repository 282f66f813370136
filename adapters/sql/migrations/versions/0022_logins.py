"""Logins: who came by a browser, and until when."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLE = "login_sessions"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_at_us", sa.BigInteger(), nullable=False),
    )
    for column in ("tenant_id", "seen_at_us", "ends_at_us"):
        op.create_index(f"ix_login_sessions_{column}", TABLE, [column])
    op.create_index("ix_login_sessions_subject", TABLE, ["issuer", "subject"])
    if op.get_bind().dialect.name == "postgresql":
        for statement in protection(TABLE):
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in unprotection(TABLE):
            op.execute(statement)
    op.drop_table(TABLE)
