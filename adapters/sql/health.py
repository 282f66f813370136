"""Whether the database answers, as far as a simple question now and then tells."""

import asyncio
from typing import Final

from sqlalchemy import Connection, text

from adapters.sql.database import Database
from application.ports.system import Clock
from domain.errors import StoreUnavailable

ANSWERS_WITHIN_S: Final = 5.0


class DatabaseHealth:
    """`up` is None before the first look. Failures show here alone."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.up: bool | None = None
        self.latency_s = 0.0
        """Of the last question that was answered."""
        self.failures = 0
        self.kind = database.dialect.name
        self._database = database
        self._clock = clock

    async def look(self) -> None:
        """Asks once; takes at most five seconds."""
        began_s = self._clock.monotonic()
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await self._database.read(_ask)
        except (StoreUnavailable, TimeoutError):
            self.up = False
            self.failures += 1
            return
        self.up = True
        self.latency_s = self._clock.monotonic() - began_s


def _ask(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))
