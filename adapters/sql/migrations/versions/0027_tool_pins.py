"""What tools of upstream servers were when somebody accepted them."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

TABLES = ("integration_tool_pins", "integration_pin_turns")


def upgrade() -> None:
    op.create_table(
        "integration_tool_pins",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("integration_id", sa.Text(), primary_key=True),
        sa.Column("tool_name", sa.Text(), primary_key=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("accepted_at_us", sa.BigInteger(), nullable=False),
        sa.Column("accepted_by", sa.Text(), nullable=False),
    )
    op.create_table(
        "integration_pin_turns",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("integration_id", sa.Text(), primary_key=True),
        sa.Column("turn", sa.BigInteger(), nullable=False),
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
    op.drop_table("integration_pin_turns")
    op.drop_table("integration_tool_pins")
