"""The table of what is being forgotten, and was."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from adapters.sql.schema import metadata

erasures: Final = Table(
    "erasures",
    metadata,
    Column("erasure_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("pseudonym", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("counts", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("started_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("finished_at_us", BigInteger),
    Column("claimed_until_us", BigInteger, nullable=False),
    Index("ix_erasures_tenant", "tenant_id", "started_at_us"),
)
"""`user_id` is empty as soon as the user is forgotten. `counts` is a JSON object: rows by what they are."""
