"""Events: who listens, how far they were passed on, and which messages of others were seen."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_OF_TENANTS = ("event_listeners", "seen_messages")


def upgrade() -> None:
    op.create_table(
        "event_listeners",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("patterns", sa.Text(), primary_key=True),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "event_cursors",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "seen_messages",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(), primary_key=True),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_seen_messages_until", "seen_messages", ["tenant_id", "until_us"])
    if op.get_bind().dialect.name == "postgresql":
        for table in _OF_TENANTS:
            for statement in protection(table):
                op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _OF_TENANTS:
            for statement in unprotection(table):
                op.execute(statement)
    op.drop_table("seen_messages")
    op.drop_table("event_cursors")
    op.drop_table("event_listeners")
