"""Events of requests, in the transaction that writes their usage rows."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Connection, Dialect

from adapters.sql.ledger_statements import inserts
from application.events.requests import Wants, events_of_request
from domain.analytics.event import RequestEvent


class RequestEvents:
    """A follower of `SqlUsageWriter`. It comes before the ledger's, whose locks requests wait for.

    `wants` is asked in the writer's thread.
    """

    def __init__(self, dialect: Dialect, wants: Wants) -> None:
        self._insert = inserts(dialect).outbox
        self._wants = wants

    def __call__(self, connection: Connection, events: Sequence[RequestEvent]) -> None:
        wants = cache(self._wants)  # nobody begins to want anything in the middle of a group
        rows = [
            {**told._asdict(), "done_at_us": None}
            for event in events
            for told in events_of_request(event, wants)
        ]
        if rows:
            connection.execute(self._insert, rows)
