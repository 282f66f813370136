"""The table of roll-ups."""

from typing import Final

from sqlalchemy import BigInteger, Column, Table, Text

from adapters.sql.schema import metadata
from domain.analytics.rollup import RollupKey, RollupSums

usage_rollups: Final = Table(
    "usage_rollups",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("hour_us", BigInteger, primary_key=True, autoincrement=False),
    Column("group_id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in RollupKey._fields[2:]),
    *(Column(name, BigInteger, nullable=False) for name in RollupSums._fields),
    sqlite_with_rowid=False,
)
"""`group_id` stands for the columns between itself and the sums."""
