"""Writing usage rows in groups."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from sqlalchemy import Connection, bindparam, select

from adapters.sql.among import among
from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from adapters.sql.event_format import fitting
from adapters.sql.schema import usage_attempts, usage_requests
from adapters.sql.usage_inserts import rows_into
from adapters.sql.usage_rollups import add_to_rollups
from domain.analytics.event import RequestEvent

IDS_PER_STATEMENT = 2000

_KNOWN: Final = select(usage_requests.c.request_id).where(
    among(usage_requests.c.request_id),
    usage_requests.c.started_at_us.between(bindparam("first_us"), bindparam("last_us")),
)

Follower = Callable[[Connection, Sequence[RequestEvent]], None]
"""What happens in the transaction that writes new rows. Synchronous; its failure undoes the group.

It may be called again with the same events after the transaction was undone, and others may write meanwhile:
it keeps nothing in memory, and touches rows that several processes write in a fixed order.
"""


class UsageWriter(Protocol):
    """Who brings groups of events into the database; a group that comes again changes nothing."""

    @property
    def apart(self) -> bool:
        """Whether another process does it now."""

    async def insert(self, events: list[RequestEvent]) -> None:
        """All of them are committed when this returns. Raises StoreUnavailable.

        Without any event: whether the database is there.
        """

    async def make_durable(self) -> bool:
        """Whether all rows inserted so far would survive a power cut. Raises StoreUnavailable."""


class SqlUsageWriter(UsageWriter):
    """Inserts groups of events with their attempts, each group in one transaction.

    Idempotent by request id and the attempt's number: what is there already stays as it is. `followers` run
    in the same transaction with the events that were not there yet, each exactly once; roll-ups always do.
    """

    apart = False

    def __init__(self, database: Database, followers: Sequence[Follower] = ()) -> None:
        self._database = database
        self._followers = (add_to_rollups, *followers)
        self._requests = rows_into(usage_requests, database.dialect)
        self._attempts = rows_into(usage_attempts, database.dialect)

    async def insert(self, events: list[RequestEvent]) -> None:
        """All of them are committed when this returns. Raises StoreUnavailable; then none is."""
        try:
            await self._database.write(lambda connection: self._insert(connection, events), alone=False)
            return
        except REFUSED_VALUES:
            # One value no column can hold must not hold up every other row. The same way lead rows that
            # somebody else inserted a moment ago: now they are known.
            fitted = [fitting(event) for event in events]
        try:
            await self._database.write(lambda connection: self._insert(connection, fitted), alone=False)
        except REFUSED_VALUES as error:
            raise unavailable(error) from error

    def _insert(self, connection: Connection, events: list[RequestEvent]) -> None:
        if not events:
            connection.execute(select(1))  # whoever inserts nothing asks whether the database is there
            return
        # COPY and followers must not meet what is known. Nearly always all of them are new, which costs one
        # statement per group to find out.
        known = _known(connection, events)
        events = list({each.request_id: each for each in events if each.request_id not in known}.values())
        self._requests.run(connection, [event[:-1] for event in events])
        self._attempts.run(connection, [attempt for event in events for attempt in event.attempts])
        if events:
            for follow in self._followers:
                follow(connection, events)

    async def make_durable(self) -> bool:
        """Whether all rows inserted so far would survive a power cut. Raises StoreUnavailable."""
        return await self._database.make_durable()


def _known(connection: Connection, events: Sequence[RequestEvent]) -> set[str]:
    """Ids of those that were written before.

    Their times are asked for too: an event is the same each time it comes, and the time says which
    partitions there are to look into.
    """
    known: set[str] = set()
    for start in range(0, len(events), IDS_PER_STATEMENT):
        some = events[start : start + IDS_PER_STATEMENT]
        times = [event.started_at_us for event in some]
        asked = {"ids": [event.request_id for event in some], "first_us": min(times), "last_us": max(times)}
        known.update(connection.execute(_KNOWN, asked).scalars())
    return known
