"""Who is stopped? Answered from memory, from a snapshot that follows the store.

A stop made here counts at once and reaches every other instance with its next `refresh` (run it at least
every half second). While the store is down the last snapshot stays in force for as long as it takes, and
what guards stop meanwhile is kept here and written later.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from application.ports.stops import StopStore
from application.ports.system import Clock
from domain.errors import Conflict, StoreUnavailable
from domain.guards.forgiven import NOTHING_FORGIVEN, Forgiven
from domain.guards.stop import Stop, StopCause, StopSubject

log = logging.getLogger("interchange")

STOPS_PER_TENANT_MAX: Final = 2_000
UNWRITTEN_MAX: Final = 1_000
"""Stops of guards that wait for a store that is down; beyond these, single requests are refused."""
ENDED_KEPT_S: Final = 7 * 86_400.0
"""How long an ended stop is shown, and what it was made for stays forgiven."""
LOOK_EVERY_S: Final = 0.5
HOUSEKEEPING_EVERY_S: Final = 3600.0

_Place = tuple[str, str, str]
"""(tenant, field, value) of the first field a stop names: where it is looked up."""


class StopBoard:
    """Answers synchronously; `run` keeps it current and writes what guards decided."""

    def __init__(self, store: StopStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._generation: int | None = None
        self._kept: dict[str, Stop] = {}
        self._unwritten: dict[str, Stop] = {}
        self._in_force: dict[_Place, list[Stop]] = {}
        self._evidence: dict[tuple[str, StopCause, StopSubject], list[str]] = {}
        self._next_end: datetime | None = None
        self._refreshing = asyncio.Lock()
        self._woken = asyncio.Event()
        self._tidied_at_s: float | None = None
        self.on_stopped: Callable[[Stop], None] = _nobody_runs
        """Told once of every stop that is new here and ends what runs."""
        self.made: dict[StopCause, int] = dict.fromkeys(StopCause, 0)
        """Stops made by this process, by cause."""

    @property
    def anybody(self) -> bool:
        """Whether there is any stop at all; without one, nothing has to be looked up."""
        return bool(self._in_force)

    def stop_for(self, tenant_id: str, asking: StopSubject) -> Stop | None:
        """The stop that a request of `asking` falls under; None: it may go on."""
        for name, value in asking.named():
            for stop in self._in_force.get((tenant_id, name, value), ()):
                if stop.subject.covers(asking) and stop.in_force(self._clock.utc_now()):
                    return stop
        return None

    def forgiven(self, tenant_id: str, cause: StopCause, subject: StopSubject) -> Forgiven:
        """What ended stops of this subject were made for."""
        evidence = self._evidence.get((tenant_id, cause, subject))
        return NOTHING_FORGIVEN if evidence is None else Forgiven.by(evidence)

    def make(self, stop: Stop) -> None:
        """A guard's decision: in force from now on, written soon."""
        if len(self._unwritten) >= UNWRITTEN_MAX:
            log.error("%s cannot be stopped: %d stops wait to be written", stop.subject, UNWRITTEN_MAX)
            return
        self._unwritten[stop.stop_id] = stop
        self._index(stop)
        self._woken.set()
        self._tell(stop)

    async def add(self, stop: Stop) -> None:
        """An operator's decision: kept, and in force here when this returns.

        Raises Conflict (too many), StoreUnavailable; then nothing is stopped.
        """
        await self._store.add(stop, stops_max=STOPS_PER_TENANT_MAX)
        self._tell(stop)
        await self._follow()

    async def lift(self, stop: Stop, by: str) -> bool:
        """Whether it was there to be lifted. Raises StoreUnavailable; then it stays in force."""
        lifted = await self._store.lift(stop.tenant_id, stop.stop_id, self._clock.utc_now(), by)
        if lifted:
            log.warning("lifted: %s (%s, tenant %s) by %s", stop.subject, stop.stop_id, stop.tenant_id, by)
        await self._follow()
        return lifted

    async def known(self) -> list[Stop]:
        """Every stop that is kept, the oldest first, from the store itself. Raises StoreUnavailable."""
        return await self._store.all()

    async def refresh(self) -> None:
        """Writes what guards decided, and takes over what changed. Raises StoreUnavailable; what was known
        stays in force."""
        async with self._refreshing:
            await self._write()
            # Asked before the stops are read: a change in between is seen again next time, never missed.
            generation = await self._store.generation()
            if generation != self._generation:
                known = {stop.stop_id: stop for stop in await self._store.all()}
                first, before = self._generation is None, self._kept
                self._kept, self._generation = known, generation
                self._rebuild()
                if not first:
                    self._end_what_runs(stop for stop in known.values() if stop.stop_id not in before)
            elif self._next_end is not None and self._clock.utc_now() >= self._next_end:
                self._rebuild()

    async def run(self) -> None:
        """Until cancelled. A store that is down is asked again."""
        told = False
        while True:
            self._woken.clear()
            try:
                await self.refresh()
                await self._tidy()
                told = False
            except StoreUnavailable as error:
                if not told:
                    log.warning("stops stay as they were: %s", error.message)
                told = True
            try:
                # While the store is down, what a guard decides must not turn into a busy loop.
                async with asyncio.timeout(LOOK_EVERY_S):
                    await (asyncio.sleep(LOOK_EVERY_S) if told else self._woken.wait())
            except TimeoutError:
                continue

    def counts_in_force(self) -> dict[StopCause, int]:
        """How many stops are in force now, by cause."""
        now, counts = self._clock.utc_now(), dict.fromkeys(StopCause, 0)
        for stops in self._in_force.values():
            for stop in stops:
                counts[stop.cause] += stop.in_force(now)
        return counts

    async def _follow(self) -> None:
        try:
            await self.refresh()
        except StoreUnavailable as error:
            # The change is in the store already; this instance follows like the others.
            log.warning("stops are not followed yet: %s", error.message)

    async def _write(self) -> None:
        for stop in list(self._unwritten.values()):
            try:
                await self._store.add(stop, stops_max=STOPS_PER_TENANT_MAX)
            except Conflict as error:
                log.error("stop %s of a guard cannot be kept: %s", stop.stop_id, error.message)
            # In the snapshot until the refresh that follows brings it, or the one that was there already.
            self._kept[stop.stop_id] = stop
            del self._unwritten[stop.stop_id]
            self._generation = None if self._generation is None else -1

    async def _tidy(self) -> None:
        now_s = self._clock.monotonic()
        if self._tidied_at_s is None or now_s - self._tidied_at_s >= HOUSEKEEPING_EVERY_S:
            self._tidied_at_s = now_s
            await self._store.forget_ended_before(self._clock.utc_now() - timedelta(seconds=ENDED_KEPT_S))

    def _rebuild(self) -> None:
        self._in_force, self._evidence, self._next_end = {}, {}, None
        now = self._clock.utc_now()
        for stop in (*self._kept.values(), *self._unwritten.values()):
            self._index(stop, refuses=stop.in_force(now))

    def _index(self, stop: Stop, *, refuses: bool = True) -> None:
        if refuses:
            name, value = stop.subject.named()[0]
            self._in_force.setdefault((stop.tenant_id, name, value), []).append(stop)
            if stop.expires_at is not None:
                self._next_end = min(self._next_end or stop.expires_at, stop.expires_at)
        if stop.evidence:
            # While it has not ended it refuses anyway; noted now, nothing has to be done when it ends.
            about = (stop.tenant_id, stop.cause, stop.subject)
            self._evidence.setdefault(about, []).append(stop.evidence)

    def _tell(self, stop: Stop) -> None:
        self.made[stop.cause] += 1
        log.warning(
            "stopped: %s (%s, tenant %s) by %s, cause %s, until %s: %s",
            stop.subject,
            stop.stop_id,
            stop.tenant_id,
            stop.by,
            stop.cause.value,
            _shown(stop.expires_at),
            stop.reason,
        )

    def _end_what_runs(self, new: Iterable[Stop]) -> None:
        now = self._clock.utc_now()
        for stop in new:
            if stop.ends_running and stop.in_force(now):
                self.on_stopped(stop)


def _nobody_runs(_: Stop) -> None:
    return None


def _shown(moment: datetime | None) -> str:
    return "lifted" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
