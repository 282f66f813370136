"""Telling of keys before they end by themselves."""

import logging
from datetime import timedelta
from typing import Final

from application.events.changes import key_expiring
from application.ports.expiring_keys import ExpiringKeys
from application.ports.outbox import Outbox
from application.ports.system import Clock

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 600.0
BEFORE_S: Final = (86_400, 7 * 86_400)
"""How long before its end a key is told of; the shortest first."""
KEYS_MAX: Final = 2_000
"""Of one look; the first to end come first."""
TOLD_MAX: Final = 20_000


class TellExpiring:
    """Several instances may look: each fact is one event, whoever notices it."""

    def __init__(self, keys: ExpiringKeys, outbox: Outbox, clock: Clock) -> None:
        self._keys = keys
        self._outbox = outbox
        self._clock = clock
        self._told: set[str] = set()

    async def look(self) -> None:
        """Raises StoreUnavailable; the rest is told at the next look."""
        now = self._clock.utc_now()
        if len(self._told) > TOLD_MAX:
            self._told.clear()
        ending = await self._keys.ending(now, now + timedelta(seconds=max(BEFORE_S)), limit=KEYS_MAX)
        for record in ending:
            assert record.expires_at is not None, "asked for those that end"
            left_s = (record.expires_at - now).total_seconds()
            event = key_expiring(record, next(each for each in BEFORE_S if left_s <= each), now)
            if event.key not in self._told:
                await self._outbox.add(event)
                self._told.add(event.key)
