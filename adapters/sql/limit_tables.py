"""The tables of rate limits."""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, Table, Text, UniqueConstraint

from adapters.sql.schema import metadata

rate_limits: Final = Table(
    "rate_limits",
    metadata,
    Column("limit_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "name", name="uq_rate_limits_tenant_name"),
)

rate_limit_generation: Final = Table(
    "rate_limit_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
)
"""One row, counted up by every change of any limit."""

limit_units: Final = Table(
    "limit_units",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("level_ns", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("marks", Text, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("ends_us", BigInteger, nullable=False, index=True),
)
"""What was taken: of a bucket `level_ns`, `at_us` and `marks` (`at:level,…`), of a quota `used`. After
`ends_us` the row says nothing any more."""
