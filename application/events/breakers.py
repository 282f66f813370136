"""Telling of circuit breakers that opened or closed, by looking at them beside requests.

Each process has breakers of its own, so each tells of its own and says which it is. What opens and closes
between two looks is not told; breakers stay open for longer.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from application.events.changes import breaker_changed
from application.events.writing import epoch_us
from application.ports.outbox import Outbox, OutboxEvent
from application.ports.system import Clock, IdFactory
from domain.errors import StoreUnavailable
from domain.resilience.breaker import BreakerState, CircuitBreaker

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 0.5
WAITING_MAX: Final = 1_000
"""Events that wait for a store that is down; beyond these, the oldest are dropped and counted."""


class Watched(NamedTuple):
    """A breaker and whose it is: `tenant_id` None is a provider's; `target` is what of `name` it guards."""

    tenant_id: str | None
    name: str
    target: str
    breaker: CircuitBreaker


Breakers = Callable[[], Iterable[Watched]]
"""Those there are now."""

_Key = tuple[str, str, str]


class BreakerWatch:
    def __init__(
        self, outbox: Outbox, clock: Clock, ids: IdFactory, sources: Iterable[Breakers] = ()
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._instance = ids.next("instance")
        self._sources = list(sources)
        self._not_closed: dict[_Key, Watched] = {}
        self._number = 0
        self._waiting: list[OutboxEvent] = []
        self.dropped = 0
        """Events that no store took in time."""

    def add_source(self, source: Breakers) -> None:
        """Looked at from now on."""
        self._sources.append(source)

    async def look(self) -> None:
        """Tells of what changed since the last look. Raises StoreUnavailable; then it is told later."""
        self._compare()
        while self._waiting:
            await self._outbox.add(self._waiting[0])
            self._waiting.pop(0)

    async def run(self) -> None:
        """Until cancelled."""
        told = False
        while True:
            try:
                await self.look()
                told = False
            except StoreUnavailable as error:
                if not told:
                    log.warning("breakers are not told of: %s", error.message)
                told = True
            await asyncio.sleep(LOOK_EVERY_S)

    def _compare(self) -> None:
        now, seen = self._clock.monotonic(), self._not_closed
        still: dict[_Key, Watched] = {}
        for source in self._sources:
            for watched in source():
                if watched.breaker.state(now) is BreakerState.CLOSED:
                    continue
                key = (watched.tenant_id or "", watched.name, watched.target)
                still[key] = watched
                if key not in seen:
                    self._tell(watched, opened=True)
        for key, watched in seen.items():
            if key not in still:
                self._tell(watched, opened=False)
        self._not_closed = still

    def _tell(self, watched: Watched, *, opened: bool) -> None:
        self._number += 1
        self._waiting.append(
            breaker_changed(
                watched.tenant_id,
                watched.name,
                watched.target,
                instance=self._instance,
                opened=opened,
                key=f"{self._instance}:{self._number}",
                at_us=epoch_us(self._clock.utc_now()),
            )
        )
        if len(self._waiting) > WAITING_MAX:
            del self._waiting[0]
            self.dropped += 1
