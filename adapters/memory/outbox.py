"""The outbox in memory: for tests and simulations; gone with the process."""

from application.ports.outbox import Outbox, OutboxEvent
from domain.errors import StoreUnavailable

EVENTS_MAX = 10_000


class InMemoryOutbox(Outbox):
    """Keeps the newest `EVENTS_MAX`. Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._events: dict[str, OutboxEvent] = {}
        self._done_at_us: dict[str, int] = {}

    async def add(self, event: OutboxEvent) -> bool:
        self.check()
        return self.put(event)

    def put(self, event: OutboxEvent) -> bool:
        """As `add`, for a store in memory that writes an event with its cause."""
        if event.key in self._events:
            return False
        self._events[event.key] = event
        if len(self._events) > EVENTS_MAX:
            oldest = next(iter(self._events))
            del self._events[oldest]
            self._done_at_us.pop(oldest, None)
        return True

    async def waiting(self, *, limit: int = 100) -> list[OutboxEvent]:
        self.check()
        waiting = [event for event in self._events.values() if event.key not in self._done_at_us]
        return sorted(waiting, key=lambda event: (event.created_at_us, event.key))[:limit]

    async def newest(
        self, tenant_id: str | None, topic: str | None, *, limit: int = 100
    ) -> list[OutboxEvent]:
        self.check()
        found = [
            event
            for event in self._events.values()
            if tenant_id in (None, event.tenant_id) and topic in (None, event.topic)
        ]
        return sorted(found, key=lambda event: (event.created_at_us, event.key), reverse=True)[:limit]

    async def done(self, keys: list[str], now_us: int) -> None:
        self.check()
        for key in self._events.keys() & set(keys):
            self._done_at_us.setdefault(key, now_us)

    def get(self, key: str) -> OutboxEvent | None:
        """The event with this key, done or not."""
        return self._events.get(key)

    def check(self) -> None:
        """Raises StoreUnavailable where it was taken away."""
        if not self.reachable:
            raise StoreUnavailable("the outbox is not reachable", retry_after_s=1.0)
