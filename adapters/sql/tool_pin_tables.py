"""The tables of what tools of upstream servers were when somebody accepted them."""

from typing import Final

from sqlalchemy import BigInteger, Column, Table, Text

from adapters.sql.schema import metadata

integration_tool_pins: Final = Table(
    "integration_tool_pins",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("integration_id", Text, primary_key=True),
    Column("tool_name", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("accepted_at_us", BigInteger, nullable=False),
    Column("accepted_by", Text, nullable=False),
)
"""`accepted_by` is empty for what was seen first."""

integration_pin_turns: Final = Table(
    "integration_pin_turns",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("integration_id", Text, primary_key=True),
    Column("turn", BigInteger, nullable=False),
)
"""One row per integration whose tools were ever seen; `turn` counts how often somebody accepted some."""
