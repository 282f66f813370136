"""The tables of webhooks, and of the order of events. The events themselves are the rows of the outbox."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, text

from adapters.sql.schema import metadata

event_position: Final = Table(
    "event_position",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)
"""One row: the newest place in the log of events. Whoever gives out places holds its lock until they can be
seen, so that none appears below one that was read."""

webhook_generation: Final = Table(
    "webhook_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
)
"""One row, counted up by every change of any endpoint."""

webhook_endpoints: Final = Table(
    "webhook_endpoints",
    metadata,
    Column("endpoint_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("ordered", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("first_failure_us", BigInteger),
    Column("failing_since_us", BigInteger),
    Column("declared", Boolean, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)
"""`body` is what its owner says, as JSON; no secret stands in it."""

webhook_deliveries: Final = Table(
    "webhook_deliveries",
    metadata,
    Column("endpoint_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant_id", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at_us", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("settled_at_us", BigInteger),
    Column("last_outcome", Text, nullable=False),
    Column("last_status", Integer),
    sqlite_with_rowid=False,
)
_IS_OPEN: Final = text("settled_at_us IS NULL")
_D: Final = webhook_deliveries.c
Index(
    "ix_webhook_deliveries_due",
    _D.endpoint_id,
    _D.due_at_us,
    _D.seq,
    sqlite_where=_IS_OPEN,
    postgresql_where=_IS_OPEN,
)
Index(
    "ix_webhook_deliveries_head",
    _D.endpoint_id,
    _D.seq,
    sqlite_where=_IS_OPEN,
    postgresql_where=_IS_OPEN,
)
_IS_DEAD: Final = text("state = 'dead'")
Index(
    "ix_webhook_deliveries_dead",
    _D.tenant_id,
    _D.seq,
    sqlite_where=_IS_DEAD,
    postgresql_where=_IS_DEAD,
)
_IS_SETTLED: Final = text("settled_at_us IS NOT NULL")
Index(
    "ix_webhook_deliveries_settled", _D.settled_at_us, sqlite_where=_IS_SETTLED, postgresql_where=_IS_SETTLED
)
"""What is due, the oldest open one of an endpoint, dead letters of a tenant, and what may be forgotten."""

webhook_attempts: Final = Table(
    "webhook_attempts",
    metadata,
    Column("endpoint_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("fence", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer),
    Column("detail", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""The log of deliveries: one row per attempt that ended."""
