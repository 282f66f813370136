"""Indexes of webhooks: the one of settled rows is for those alone; the one of attempts had no reader."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_SETTLED = "ix_webhook_deliveries_settled"


def upgrade() -> None:
    op.drop_index("ix_webhook_attempts_at", "webhook_attempts")
    op.drop_index(_SETTLED, "webhook_deliveries")
    where = sa.text("settled_at_us IS NOT NULL")
    op.create_index(
        _SETTLED, "webhook_deliveries", ["settled_at_us"], sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    op.drop_index(_SETTLED, "webhook_deliveries")
    op.create_index(_SETTLED, "webhook_deliveries", ["settled_at_us"])
    op.create_index("ix_webhook_attempts_at", "webhook_attempts", ["at_us"])
