"""The table of what was seen of requests that shadows of experiments were asked too."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Table, Text

from adapters.sql.schema import metadata

experiment_shadows: Final = Table(
    "experiment_shadows",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("experiment_id", Text, primary_key=True),
    Column("arm", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("shadow_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("control_ok", Boolean, nullable=False),
    Column("shadow_ok", Boolean, nullable=False),
    Column("control_cost_nano_usd", BigInteger),
    Column("shadow_cost_nano_usd", BigInteger),
    Column("counted_nano_usd", BigInteger, nullable=False),
    Column("control_us", BigInteger),
    Column("shadow_us", BigInteger),
    Column("control_chars", BigInteger),
    Column("shadow_chars", BigInteger),
    Column("same_turn", Boolean),
    Column("same_words", Boolean),
    Column("words_in_common", Double),
    Column("control_findings", Text, nullable=False),
    Column("shadow_findings", Text, nullable=False),
    Index("ix_experiment_shadows_time", "experiment_id", "at_us"),
)
"""Figures alone: neither words nor names. Whose request it was stands in the usage row of `request_id`."""
