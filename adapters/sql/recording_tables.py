"""The tables of recorded prompts and answers."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, Text

from adapters.sql.schema import metadata

recordings: Final = Table(
    "recordings",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("recorded_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_recordings_user", "tenant_id", "user_id"),
    Index("ix_recordings_expires", "expires_at_us"),
)
"""`content` is compressed, then sealed to its row. PostgreSQL keeps the table in parts by `expires_at_us`, so
that what has expired goes with its part."""

recorded_days: Final = Table(
    "recorded_days",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("bytes", BigInteger, nullable=False),
)
"""What each tenant had recorded on each day (counted from 1970-01-01), in bytes as stored."""
