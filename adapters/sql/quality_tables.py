"""The tables of what is said and found of answers."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Table, Text

from adapters.sql.schema import metadata

feedback: Final = Table(
    "feedback",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("said", Text, nullable=False),
    Column("score", Double),
    Column("comment", Text, nullable=False),
    Column("given_at_us", BigInteger, nullable=False),
    Column("asked_at_us", BigInteger, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("agent_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("route", Text, nullable=False),
    Index("ix_feedback_given", "tenant_id", "given_at_us"),
    Index("ix_feedback_user", "tenant_id", "user_id"),
)

quality_observations: Final = Table(
    "quality_observations",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("observed_at_us", BigInteger, nullable=False),
    Column("findings", Text, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("refused", Boolean, nullable=False),
    Column("json_broken", Boolean, nullable=False),
    Column("score", Double),
    Column("judge", Text, nullable=False),
    Index("ix_quality_observations_time", "tenant_id", "observed_at_us"),
)

quality_days: Final = Table(
    "quality_days",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("group_id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("truncated", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("empty", BigInteger, nullable=False),
    Column("cut", BigInteger, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("cost_nano_usd", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
)
"""Answers by the day their request came, counted from 1970-01-01. `group_id` stands for the four columns
behind it, whose names of any length would not fit into an index; all are of the configuration, which bounds
the rows."""
