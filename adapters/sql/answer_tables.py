"""The table of stored answers."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, Text

from adapters.sql.schema import metadata

stored_answers: Final = Table(
    "stored_answers",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("target_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("credential", Text, nullable=False),
    Column("native", Boolean, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False, index=True),
    Column("content", LargeBinary),
    Column("open_bill", Text),
    Column("user_id", Text, nullable=False, server_default=""),
    Column("route", Text, nullable=False, server_default=""),
    Index("ix_stored_answers_tenant_time", "tenant_id", "created_at_us"),
)
"""`open_bill` is a JSON object, NULL for entries that owe nothing."""
