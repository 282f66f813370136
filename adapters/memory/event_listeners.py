"""Who listens to events, in memory: for tests and simulations."""

from collections.abc import Sequence

from application.ports.event_listeners import EventListeners, Listening
from domain.errors import StoreUnavailable


class InMemoryEventListeners(EventListeners):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._kept: dict[tuple[str, tuple[str, ...]], int] = {}

    async def keep(self, listening: Listening, now_us: int, *, per_tenant_max: int) -> None:
        self._check()
        tenant_id, mine = listening.tenant_id, (listening.tenant_id, tuple(sorted(set(listening.patterns))))
        self._kept = {
            key: until
            for key, until in self._kept.items()
            if key[0] != tenant_id or until > now_us or key == mine
        }
        others = [key for key in self._kept if key[0] == tenant_id and key != mine]
        others.sort(key=lambda key: (-self._kept[key], key[1]))
        for key in others[max(0, per_tenant_max - 1) :]:
            del self._kept[key]
        self._kept[mine] = max(listening.until_us, self._kept.get(mine, 0))

    async def all(self, now_us: int) -> Sequence[Listening]:
        self._check()
        return [Listening(*key, until) for key, until in sorted(self._kept.items()) if until > now_us]

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the listeners are not reachable", retry_after_s=1.0)
