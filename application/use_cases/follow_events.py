"""Looking at a tenant's events, and listening to them as they come."""

from collections.abc import AsyncGenerator
from typing import Final, NamedTuple

from application.events.interest import Interest
from application.events.tail import EventTail
from application.events.writing import epoch_us
from application.ports.event_listeners import EventListeners, Listening
from application.ports.event_log import EventLog, LoggedEvent
from application.ports.event_pages import EventPages, EventQuery
from application.ports.system import Clock
from domain.errors import InvalidRequest, Overloaded, StoreUnavailable
from domain.events import any_means, check_patterns
from domain.tenancy.principal import Principal

PAGE_DEFAULT: Final = 100
PAGE_MAX: Final = 1_000
LISTENERS_PER_TENANT_MAX: Final = 20
LISTENERS_MAX: Final = 500
"""In one process."""
WISHES_PER_TENANT_MAX: Final = 50
RESUME_WITHIN_S: Final = 15 * 60
"""How long after its end events are written on for a listener, who may come back and miss none."""
RENEW_EVERY_S: Final = 60.0
HEARTBEAT_S: Final = 15.0
BATCH: Final = 100
RETRY_AFTER_S: Final = 5.0


class ReadEvents:
    def __init__(self, pages: EventPages) -> None:
        self._pages = pages

    async def __call__(self, query: EventQuery) -> list[LoggedEvent]:
        """Raises InvalidRequest (names the field), StoreUnavailable."""
        if not 1 <= query.limit <= PAGE_MAX:
            raise InvalidRequest(f"limit is 1 to {PAGE_MAX}", param="limit")
        if query.patterns:
            query = query._replace(patterns=check_patterns(query.patterns, "types"))
        return await self._pages.page(query)


class Heard(NamedTuple):
    """What came, and the place up to which nothing is missing; without events it is a sign of life."""

    events: list[LoggedEvent]
    position: int


class ListenToEvents:
    """Listeners are counted per process. Events are taken from memory where they are there still."""

    def __init__(
        self,
        tail: EventTail,
        events: EventLog,
        listeners: EventListeners,
        interest: Interest,
        clock: Clock,
        *,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        """`events` is the log as far as a caller reaches."""
        self._tail = tail
        self._events = events
        self._listeners = listeners
        self._interest = interest
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._of_tenant: dict[str, int] = {}
        self.ended = False

    def end(self) -> None:
        """Every listener is told that this process is about to end, and comes back to another one."""
        self.ended = True
        self._tail.wake()

    @property
    def listening(self) -> int:
        """How many listen to this process."""
        return sum(self._of_tenant.values())

    async def open(self, by: Principal, types: tuple[str, ...], after_seq: int | None) -> "Ear":
        """Somebody listens from here on; to be closed. `after_seq` None: to what comes from now on.

        Raises InvalidRequest (`types`), Overloaded (too many listen), StoreUnavailable.
        """
        patterns = check_patterns(types or ("*",), "types")
        tenant_id = by.tenant_id
        if self._of_tenant.get(tenant_id, 0) >= LISTENERS_PER_TENANT_MAX or self.listening >= LISTENERS_MAX:
            raise Overloaded("as many listen to events as may; close one", retry_after_s=RETRY_AFTER_S)
        self._of_tenant[tenant_id] = self._of_tenant.get(tenant_id, 0) + 1
        try:
            await self.renew(tenant_id, patterns)
            newest = await self._events.newest_seq()
        except BaseException:
            self.left(tenant_id)
            raise
        # A place that was never given out is one of another database: what is there now is all old to it.
        position = newest if after_seq is None else min(after_seq, newest)
        return Ear(
            self, self._tail, self._events, self._clock, tenant_id, patterns, position, self._heartbeat_s
        )

    async def renew(self, tenant_id: str, patterns: tuple[str, ...]) -> None:
        """Raises StoreUnavailable."""
        now_us = epoch_us(self._clock.utc_now())
        until_us = now_us + RESUME_WITHIN_S * 1_000_000
        wish = Listening(tenant_id, patterns, until_us)
        await self._listeners.keep(wish, now_us, per_tenant_max=WISHES_PER_TENANT_MAX)
        self._interest.want(tenant_id, patterns)

    def left(self, tenant_id: str) -> None:
        """One listens no more."""
        self._of_tenant[tenant_id] -= 1
        if not self._of_tenant[tenant_id]:
            del self._of_tenant[tenant_id]


class Ear:
    """One listener."""

    def __init__(
        self,
        owner: ListenToEvents,
        tail: EventTail,
        events: EventLog,
        clock: Clock,
        tenant_id: str,
        patterns: tuple[str, ...],
        position: int,
        heartbeat_s: float,
    ) -> None:
        self._owner = owner
        self._tail = tail
        self._events = events
        self._clock = clock
        self._tenant_id = tenant_id
        self._patterns = patterns
        self.position = position
        self._heartbeat_s = heartbeat_s
        self._renewed_s = clock.monotonic()
        self._open = True

    async def hear(self) -> AsyncGenerator[Heard, None]:
        """What comes, until the process ends. The next is looked for when it is asked for, so a slow listener
        makes nobody keep anything. A store that is away makes it wait."""
        with self._tail.listener():
            while not self._owner.ended:
                deadline_s = self._clock.monotonic() + self._heartbeat_s
                while not (events := await self._next()):
                    left_s = deadline_s - self._clock.monotonic()
                    if left_s <= 0 or self._owner.ended:
                        break
                    await self._tail.wait(self.position, left_s)
                await self._renew()
                yield Heard(events, self.position)

    def close(self) -> None:
        """It listens no more. Idempotent."""
        if self._open:
            self._open = False
            self._owner.left(self._tenant_id)

    async def _next(self) -> list[LoggedEvent]:
        """The next that it wants; the place moves past those that it does not."""
        found = self._tail.behind(self.position, self._tenant_id, BATCH)
        if found is None:
            found = await self._from_log()
        events, self.position = found
        return [event for event in events if any_means(self._patterns, event.topic)]

    async def _from_log(self) -> tuple[list[LoggedEvent], int]:
        try:
            # The tail may be about to begin: whatever it has read by then, the log has had before.
            reached = self._tail.position
            events = await self._events.after(self.position, self._tenant_id, limit=BATCH)
        except StoreUnavailable:
            return [], self.position
        if len(events) == BATCH:
            return events, events[-1].seq
        last = events[-1].seq if events else self.position
        return events, max(last, reached, self.position)

    async def _renew(self) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._renewed_s < RENEW_EVERY_S:
            return
        try:
            await self._owner.renew(self._tenant_id, self._patterns)
        except StoreUnavailable:
            return  # it is known for a quarter of an hour still
        self._renewed_s = now_s
