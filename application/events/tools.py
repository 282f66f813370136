"""Telling of tools of upstream servers that are not what was accepted."""

from typing import Final

from application.events.changes import integration_tools_changed
from application.events.writing import epoch_us
from application.ports.outbox import Outbox, OutboxEvent
from application.ports.system import Clock
from domain.connectors.integration import Integration
from domain.connectors.tool_pins import PinVerdict

LOOK_EVERY_S: Final = 0.5
WAITING_MAX: Final = 1_000
"""Events that wait for a store that is down; what is seen beyond them is only in the log."""


class TellToolsChanged:
    """Belongs to one event loop. `note` is called where it is seen, `tell` beside requests."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._waiting: dict[str, OutboxEvent] = {}

    def note(self, of: Integration, verdict: PinVerdict) -> None:
        """Never raises."""
        event = integration_tools_changed(of, verdict, epoch_us(self._clock.utc_now()))
        if len(self._waiting) < WAITING_MAX:
            self._waiting[event.key] = event

    async def tell(self) -> None:
        """Raises StoreUnavailable; the rest is told next time."""
        while self._waiting:
            key = next(iter(self._waiting))
            await self._outbox.add(self._waiting[key])
            self._waiting.pop(key, None)
