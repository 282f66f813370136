"""Tables around events: who listens, how far they were passed on, and which messages of others were seen.

Times are UTC epoch microseconds.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from adapters.sql.schema import metadata

event_listeners: Final = Table(
    "event_listeners",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("patterns", Text, primary_key=True),
    Column("until_us", BigInteger, nullable=False),
)
"""`patterns` are separated by spaces, sorted."""

event_cursors: Final = Table(
    "event_cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("until_us", BigInteger, nullable=False),
)

seen_messages: Final = Table(
    "seen_messages",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("until_us", BigInteger, nullable=False),
)
Index("ix_seen_messages_until", seen_messages.c.tenant_id, seen_messages.c.until_us)
