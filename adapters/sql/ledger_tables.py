"""The tables of the ledger. Amounts are nano-dollars, times UTC epoch microseconds."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, text

from adapters.sql.schema import metadata

budget_accounts: Final = Table(
    "budget_accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("budget_id", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("limit_nano_usd", BigInteger, nullable=False),
    Column("hard", Boolean, nullable=False),
    Column("period", Text, nullable=False),
    Column("period_start_us", BigInteger, nullable=False),
    Column("period_end_us", BigInteger),
    Column("rolling_us", BigInteger, nullable=False),
    Column("alert_at", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("switch_at", Integer),
    Column("switch_route", Text),
    Column("spent_nano_usd", BigInteger, nullable=False),
    Column("unresolved_nano_usd", BigInteger, nullable=False),
    Column("leased_nano_usd", BigInteger, nullable=False),
    Column("wanted_until_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("first_slot_us", BigInteger),
    Column("told", Text, nullable=False),
    Index("ix_budget_accounts_budget", "budget_id"),
    Index("ix_budget_accounts_tenant", "tenant_id", "period_start_us"),
)
"""The row that everything about an account locks first. `period` is empty while an account has charges, but
was not opened by anybody yet. `leased_nano_usd` is kept equal to the sum of what its leases have left.
`first_slot_us` is the oldest row of `budget_slots`, `told` the alerts that were written
(`round:threshold`)."""

budget_leases: Final = Table(
    "budget_leases",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("granted_nano_usd", BigInteger, nullable=False),
    Column("returned_nano_usd", BigInteger, nullable=False),
    Column("settled_nano_usd", BigInteger, nullable=False),
    Column("charged_nano_usd", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_budget_leases_holder", budget_leases.c.holder)
"""Totals. `settled` is what was taken from this lease, `charged` what attempts held by this holder were
charged, whoever's lease paid for it."""

budget_holders: Final = Table(
    "budget_holders",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
)

budget_entries: Final = Table(
    "budget_entries",
    metadata,
    Column("attempt_id", Text, primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("charged_nano_usd", BigInteger, nullable=False),
    Column("held_nano_usd", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("payer", Text, nullable=False),
    Column("resolved_at_us", BigInteger),
    sqlite_with_rowid=False,
)
"""The ledger: every charge. Rows are added, and an unresolved one gets its bill once; nothing else changes.

PostgreSQL keeps it in partitions by `at_us`, and a partitioned table can enforce no key without that column.
That an attempt is charged once per account holds all the same. Whoever writes entries has the account's row
locked, and: the writer of usage rows sees each row exactly once, so two rows never bring the same attempt;
everything that came another way, and everything unresolved, stands in `budget_marks`, where a row looks
before it is charged; and what comes another way looks into both tables."""

budget_marks: Final = Table(
    "budget_marks",
    metadata,
    Column("attempt_id", Text, primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("charged_nano_usd", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("resolved_at_us", BigInteger),
    sqlite_with_rowid=False,
)
Index(
    "ix_budget_marks_unresolved",
    budget_marks.c.at_us,
    sqlite_where=text("outcome = 'unresolved'"),
    postgresql_where=text("outcome = 'unresolved'"),
)
"""The few charges that the same attempt may come back to: unresolved ones, and what did not travel in a usage
row. They are forgotten a while after they were resolved."""

budget_slots: Final = Table(
    "budget_slots",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("slot_us", BigInteger, primary_key=True, autoincrement=False),
    Column("spent_nano_usd", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What was spent in each part of a sliding window, by the part's begin."""

budgets: Final = Table(
    "budgets",
    metadata,
    Column("budget_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Index("ix_budgets_name", "tenant_id", "name", unique=True),
)
"""Budgets made through the API."""

budget_generation: Final = Table(
    "budget_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
)
"""One row, counted up by every change of any budget."""

outbox: Final = Table(
    "outbox",
    metadata,
    Column("key", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("done_at_us", BigInteger),
    Column("seq", BigInteger),
    Column("trace", Text, nullable=False, server_default=""),
    Index("ix_outbox_seq", "seq", unique=True),
    Index("ix_outbox_tenant_seq", "tenant_id", "seq"),
)
Index(
    "ix_outbox_waiting",
    outbox.c.created_at_us,
    sqlite_where=text("done_at_us IS NULL"),
    postgresql_where=text("done_at_us IS NULL"),
)
Index("ix_outbox_tenant", outbox.c.tenant_id, outbox.c.created_at_us)
"""Events that are to be delivered, and those of the last weeks that were: `done_at_us` is when they came into
the log of events, at the place `seq`."""
