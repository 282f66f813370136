"""What was seen of requests that were also sent to shadows of experiments: figures, never words."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.row_security import protection, unprotection

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

TABLE = "experiment_shadows"


def upgrade() -> None:
    op.create_table(
        TABLE,
        *(
            sa.Column(name, sa.Text(), primary_key=True)
            for name in ("tenant_id", "experiment_id", "arm", "request_id")
        ),
        sa.Column("shadow_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("control_ok", "shadow_ok")),
        *(sa.Column(name, sa.BigInteger()) for name in ("control_cost_nano_usd", "shadow_cost_nano_usd")),
        sa.Column("counted_nano_usd", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger())
            for name in ("control_us", "shadow_us", "control_chars", "shadow_chars")
        ),
        *(sa.Column(name, sa.Boolean()) for name in ("same_turn", "same_words")),
        sa.Column("words_in_common", sa.Double()),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("control_findings", "shadow_findings")),
    )
    op.create_index("ix_experiment_shadows_time", TABLE, ["experiment_id", "at_us"])
    if op.get_bind().dialect.name == "postgresql":
        for statement in protection(TABLE):
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in unprotection(TABLE):
            op.execute(statement)
    op.drop_table(TABLE)
