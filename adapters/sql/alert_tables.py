"""The tables of objectives and alerts."""

from typing import Final

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Table, Text

from adapters.sql.schema import metadata
from domain.sla.measure import DURATION_MS, OVERHEAD_MS, Measure

NUMBERS: Final = Measure._fields[:9]
DURATIONS: Final = tuple(f"duration_{number}" for number in range(len(DURATION_MS) + 1))
OVERHEADS: Final = tuple(f"overhead_{number}" for number in range(len(OVERHEAD_MS) + 1))
SUMS: Final = (*NUMBERS, *DURATIONS, *OVERHEADS)

sla_measures: Final = Table(
    "sla_measures",
    metadata,
    Column("span_s", Integer, primary_key=True, autoincrement=False),
    Column("start_us", BigInteger, primary_key=True, autoincrement=False),
    Column("scope", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in SUMS),
    sqlite_with_rowid=False,
)
"""Sums of minutes (`span_s` 60) and hours (3600) over all instances. Scopes are the whole, each provider, and
what objectives and alerts of the configuration name: their number is bounded by it."""

alert_states: Final = Table(
    "alert_states",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False, index=True),
    Column("rule", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
)
"""`body` is the whole alert as JSON; the other columns are for finding it."""

alert_history: Final = Table(
    "alert_history",
    metadata,
    Column("key", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("alert_id", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("value", Double),
    Column("threshold", Double),
    Column("note", Text, nullable=False),
    Column("by", Text, nullable=False),
)
Index("ix_alert_history_at", alert_history.c.tenant_id, alert_history.c.at_us)

alert_findings: Final = Table(
    "alert_findings",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("tenant_id", Text, primary_key=True),
    Column("value", Double),
    Column("judged", Double),
    Column("note", Text, nullable=False),
    Column("until_us", BigInteger, nullable=False),
)
"""What each instance sees of itself, such as its breakers, until it says otherwise or its time is over."""
