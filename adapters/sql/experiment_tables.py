"""The tables of experiments."""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, Table, Text, UniqueConstraint

from adapters.sql.schema import metadata

experiments: Final = Table(
    "experiments",
    metadata,
    Column("experiment_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "name", name="uq_experiments_tenant_name"),
)

experiment_generation: Final = Table(
    "experiment_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
)
"""One row, counted up by every change of any experiment."""
