"""The ledger of budgets, budgets made through the API, and events that wait for delivery."""

import sqlalchemy as sa
from alembic import op

from adapters.sql.partitions import partitioned_table

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _amounts(*names: str) -> list[sa.Column]:
    return [sa.Column(f"{name}_nano_usd", sa.BigInteger(), nullable=False) for name in names]


def _texts(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _where(condition: str) -> dict[str, sa.TextClause]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "budget_accounts",
        sa.Column("account_id", sa.Text(), primary_key=True),
        *_texts("budget_id", "tenant_id", "name", "subject"),
        *_amounts("limit"),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("period_start_us", sa.BigInteger(), nullable=False),
        sa.Column("period_end_us", sa.BigInteger()),
        sa.Column("rolling_us", sa.BigInteger(), nullable=False),
        *_texts("alert_at", "contact"),
        sa.Column("switch_at", sa.Integer()),
        sa.Column("switch_route", sa.Text()),
        *_amounts("spent", "unresolved", "leased"),
        sa.Column("wanted_until_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("first_slot_us", sa.BigInteger()),
        sa.Column("told", sa.Text(), nullable=False),
    )
    op.create_index("ix_budget_accounts_budget", "budget_accounts", ["budget_id"])
    op.create_index("ix_budget_accounts_tenant", "budget_accounts", ["tenant_id", "period_start_us"])
    op.create_table(
        "budget_leases",
        sa.Column("account_id", sa.Text(), primary_key=True),
        sa.Column("holder", sa.Text(), primary_key=True),
        *_amounts("granted", "returned", "settled", "charged"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_budget_leases_holder", "budget_leases", ["holder"])
    op.create_table(
        "budget_holders",
        sa.Column("holder", sa.Text(), primary_key=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
    )
    partitioned_table(
        op,
        "budget_entries",
        *_texts("attempt_id", "account_id"),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        *_texts("outcome"),
        *_amounts("charged", "held"),
        *_texts("holder", "payer"),
        sa.Column("resolved_at_us", sa.BigInteger()),
        key=("attempt_id", "account_id"),
        by="at_us",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budget_marks",
        sa.Column("attempt_id", sa.Text(), primary_key=True),
        sa.Column("account_id", sa.Text(), primary_key=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        *_amounts("charged"),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("resolved_at_us", sa.BigInteger()),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_budget_marks_unresolved", "budget_marks", ["at_us"], **_where("outcome = 'unresolved'")
    )
    op.create_table(
        "budget_slots",
        sa.Column("account_id", sa.Text(), primary_key=True),
        sa.Column("slot_us", sa.BigInteger(), primary_key=True, autoincrement=False),
        *_amounts("spent"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budgets",
        sa.Column("budget_id", sa.Text(), primary_key=True),
        *_texts("tenant_id", "name", "body"),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_budgets_name", "budgets", ["tenant_id", "name"], unique=True)
    op.create_table(
        "budget_generation",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO budget_generation (id, generation) VALUES (1, 0)")
    op.create_table(
        "outbox",
        sa.Column("key", sa.Text(), primary_key=True),
        *_texts("topic", "tenant_id", "payload"),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("done_at_us", sa.BigInteger()),
    )
    op.create_index("ix_outbox_waiting", "outbox", ["created_at_us"], **_where("done_at_us IS NULL"))
    op.create_index("ix_outbox_tenant", "outbox", ["tenant_id", "created_at_us"])


def downgrade() -> None:
    for table in (
        "outbox",
        "budget_generation",
        "budgets",
        "budget_slots",
        "budget_marks",
        "budget_entries",
        "budget_holders",
        "budget_leases",
        "budget_accounts",
    ):
        op.drop_table(table)
