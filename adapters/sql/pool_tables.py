"""Tables of pools of leases and of who is in them. Both are holders of the ledger as well."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Table, Text

from adapters.sql.schema import metadata

lease_pools: Final = Table(
    "lease_pools",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("retired", Boolean, nullable=False),
    Column("made_at_us", BigInteger, nullable=False),
)
"""Everything about a pool's members locks its row first, before any holder or account."""

lease_pool_members: Final = Table(
    "lease_pool_members",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("pool", Text, nullable=False, index=True),
    Column("left_at_us", BigInteger),
)
