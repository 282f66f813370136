"""The tables of stops."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from adapters.sql.schema import metadata

stops: Final = Table(
    "stops",
    metadata,
    Column("stop_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False, index=True),
    Column("agent_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger),
    Column("ends_running", Boolean, nullable=False),
    Column("lifted_at_us", BigInteger),
    Column("lifted_by", Text, nullable=False),
    Column("evidence", Text, nullable=False),
)

stop_generation: Final = Table(
    "stop_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
)
"""One row, counted up by every change of any stop."""
