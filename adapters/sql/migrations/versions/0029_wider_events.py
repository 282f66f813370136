"""Usage rows tell the time of each stage, the decision, what policies did, and how a stream flowed."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("entry_us", "0"),
    ("admit_us", "0"),
    ("cache_us", "0"),
    ("hold_us", "0"),
    ("trace_id", ""),
    ("parent_span_id", ""),
    ("planned", ""),
    ("left_out", ""),
    ("demands", ""),
    ("privacy", ""),
    ("guardrails", ""),
    ("breaker_skips", "0"),
    ("chunks", "0"),
    ("gap_max_us", None),
    ("checks", ""),
    ("task", ""),
    ("budget_left_nano_usd", None),
)
"""In the order of the event; None: may be unknown."""


def upgrade() -> None:
    # Constants only: neither database rewrites a table for them, and older versions go on writing rows.
    for name, default in _COLUMNS:
        kind = sa.Text() if default == "" else sa.BigInteger()
        op.add_column(
            "usage_requests", sa.Column(name, kind, nullable=default is None, server_default=default)
        )


def downgrade() -> None:
    for name, _ in reversed(_COLUMNS):
        op.drop_column("usage_requests", name)
