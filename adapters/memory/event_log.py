"""The log of events in memory, over an outbox in memory."""

from adapters.memory.outbox import InMemoryOutbox
from application.ports.event_log import EventLog, LoggedEvent
from domain.webhooks.envelope import event_id


class InMemoryEventLog(EventLog):
    """Forgets what the outbox forgets."""

    def __init__(self, outbox: InMemoryOutbox) -> None:
        self._outbox = outbox
        self._keys: dict[int, str] = {}
        self._newest = 0

    async def after(self, seq: int, tenant_id: str | None = None, *, limit: int = 100) -> list[LoggedEvent]:
        self._outbox.check()
        found = (
            event
            for place in self._keys
            if place > seq and (event := self.at(place)) is not None and tenant_id in (None, event.tenant_id)
        )
        return [event for event, _ in zip(found, range(limit), strict=False)]

    def at(self, seq: int) -> LoggedEvent | None:
        """The event at a place; None: there is none, or no more."""
        event = self._outbox.get(self._keys.get(seq, ""))
        if event is None:
            return None
        return LoggedEvent(
            seq,
            event_id(event.key),
            event.topic,
            event.tenant_id,
            event.payload,
            event.created_at_us,
            event.trace,
        )

    async def newest_seq(self) -> int:
        self._outbox.check()
        return self._newest

    async def number(self, now_us: int, *, limit: int = 500) -> int:
        return len(await self.give_places(now_us, limit))

    async def give_places(self, now_us: int, limit: int) -> list[LoggedEvent]:
        """As `number`, for who delivers them in the same step."""
        waiting = await self._outbox.waiting(limit=limit)
        for each in waiting:
            self._newest += 1
            self._keys[self._newest] = each.key
        await self._outbox.done([each.key for each in waiting], now_us)
        places = range(self._newest - len(waiting) + 1, self._newest + 1)
        return [event for place in places if (event := self.at(place)) is not None]
