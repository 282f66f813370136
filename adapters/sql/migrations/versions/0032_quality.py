"""What is said of answers, what is found in them, and how many there were by the day."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

TABLES = ("feedback", "quality_observations", "quality_days")
_COUNTS = ("requests", "truncated", "refused", "empty", "cut", "duration_us", "cost_nano_usd", "unpriced")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), primary_key=True) for name in names]


def upgrade() -> None:
    op.create_table(
        "feedback",
        *_keys("tenant_id", "request_id", "key_id", "source"),
        *_texts("kind", "said"),
        sa.Column("score", sa.Double()),
        *_texts("comment"),
        sa.Column("given_at_us", sa.BigInteger(), nullable=False),
        sa.Column("asked_at_us", sa.BigInteger(), nullable=False),
        *_texts("user_id", "agent_id", "provider", "model", "task", "route"),
    )
    op.create_index("ix_feedback_given", "feedback", ["tenant_id", "given_at_us"])
    op.create_index("ix_feedback_user", "feedback", ["tenant_id", "user_id"])
    op.create_table(
        "quality_observations",
        *_keys("tenant_id", "request_id", "source"),
        *_texts("provider", "model", "task", "route"),
        sa.Column("observed_at_us", sa.BigInteger(), nullable=False),
        *_texts("findings"),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("failed", "refused", "json_broken")),
        sa.Column("score", sa.Double()),
        *_texts("judge"),
    )
    op.create_index("ix_quality_observations_time", "quality_observations", ["tenant_id", "observed_at_us"])
    op.create_table(
        "quality_days",
        *_keys("tenant_id"),
        sa.Column("day", sa.BigInteger(), primary_key=True, autoincrement=False),
        *_keys("group_id"),
        *_texts("provider", "model", "task", "route"),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
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
    for table in reversed(TABLES):
        op.drop_table(table)
