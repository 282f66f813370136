"""The tables of recommendations, and of what is done once for a period."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from adapters.sql.schema import metadata

cost_optimizations: Final = Table(
    "cost_optimizations",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("optimization_id", Text, primary_key=True),
    Column("analytics_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("saving_low_nano_usd", BigInteger),
    Column("estimated_saving_nano_usd", BigInteger),
    Column("saving_high_nano_usd", BigInteger),
    Column("status", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("seen_at_us", BigInteger, nullable=False),
    Column("decided_at_us", BigInteger),
    Column("decided_by", Text, nullable=False),
    Index("ix_cost_optimizations_analytics", "analytics_id"),
)
"""`evidence` is a JSON object. Savings are per month of 30 days; all three are null where none is told."""

period_marks: Final = Table(
    "period_marks",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("start_us", BigInteger, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
)
"""`start_us` is the start of the period, `at_us` when somebody did it."""
