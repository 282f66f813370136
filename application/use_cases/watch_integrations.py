"""Looks at integrations from time to time, whether anybody calls them or not.

Of many instances one looks at a time; the others read what it found.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from application.ports.integrations import HealthLog
from application.ports.system import Clock
from application.tools.book import IntegrationBook, Open
from application.tools.health_board import HealthBoard
from application.tools.pinning import complaint
from application.tools.reaching import CHECK_TIMEOUT_S, Reached, attempted, reach
from domain.connectors.health import KEPT_DAYS, KEPT_MAX, HealthCheck, judged
from domain.connectors.integration import IntegrationState
from domain.connectors.monitoring import CONFIRM_AFTER_S, Monitoring, monitoring_of
from domain.errors import (
    IntegrationUnavailable,
    InterchangeError,
    InvalidConfiguration,
    StoreUnavailable,
)

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 1.0
AT_ONCE: Final = 8
"""Checks of one process at the same time."""
OPEN_TIMEOUT_S: Final = 10.0
TIDY_EVERY_S: Final = 600.0
CLAIMED_SHARE: Final = 0.8
"""Of an interval: who looked has claimed it for so long, so that the shortest next one comes after it."""
_DAY_US: Final = 86_400_000_000


@dataclass(slots=True)
class _Watch:
    entry: Open
    due_s: float
    looking: bool = False


class WatchIntegrations:
    """Belongs to one event loop. `run` goes on until it is cancelled; `draw` gives 0 to 1."""

    def __init__(
        self,
        book: IntegrationBook,
        health: HealthLog,
        board: HealthBoard,
        clock: Clock,
        draw: Callable[[], float],
    ) -> None:
        self._book = book
        self._health = health
        self._board = board
        self._clock = clock
        self._draw = draw
        self._watches: dict[tuple[str, str], _Watch] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tidied_s: float | None = None

    async def run(self) -> None:
        """Looks at what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                for watch in self._due():
                    watch.looking = True
                    group.create_task(self._look(watch))
                await self._tidy()
                await asyncio.sleep(LOOK_EVERY_S)

    async def look_at_all(self) -> None:
        """Looks at everything that is watched, now."""
        self._due()
        for watch in list(self._watches.values()):
            await self._look(watch)

    def _due(self) -> list[_Watch]:
        """What is to be looked at now; takes note of what is new, changed or gone."""
        now_s = self._clock.monotonic()
        watches: dict[tuple[str, str], _Watch] = {}
        for entry in self._book.all():
            integration = entry.integration
            monitoring = _monitoring(entry)
            if not monitoring.enabled or integration.state is not IntegrationState.ACTIVE:
                continue
            place = (integration.tenant_id, integration.integration_id)
            watch = self._watches.get(place)
            if watch is None or watch.entry is not entry:
                # The first look comes soon, and not at the same moment for all of them.
                soon_s = now_s + self._draw() * min(monitoring.interval_s, CONFIRM_AFTER_S)
                watch = _Watch(entry, soon_s)
            watches[place] = watch
        self._watches = watches
        self._board.keep_only(
            (entry.integration.tenant_id, entry.integration.integration_id) for entry in self._book.all()
        )
        return [watch for watch in watches.values() if watch.due_s <= now_s and not watch.looking]

    async def _look(self, watch: _Watch) -> None:
        failed_once = False
        try:
            async with self._places:
                failed_once = await self._check(watch.entry)
        except StoreUnavailable as error:
            log.warning("store unavailable: %s", error.message)
        except Exception:  # one connector's bug must not keep the others from being looked at
            log.exception("looking at integration %s failed", watch.entry.name)
        finally:
            period_s = _monitoring(watch.entry).next_check_s(failed_once=failed_once, draw=self._draw())
            watch.due_s, watch.looking = self._clock.monotonic() + period_s, False

    async def _check(self, entry: Open) -> bool:
        """Whether it failed for the first time. Raises StoreUnavailable."""
        integration, monitoring = entry.integration, _monitoring(entry)
        place = (integration.tenant_id, integration.integration_id)
        before = await self._board.known(*place)
        confirming = before is not None and before.up and before.failures > 0
        now_us = _us(self._clock)
        claimed_s = (CONFIRM_AFTER_S if confirming else monitoring.interval_s) * CLAIMED_SHARE
        until_us = now_us + int(claimed_s * 1e6)
        if not confirming and not await self._health.claim(*place, now_us=now_us, until_us=until_us):
            await self._hear(place)
            await self._look_at_tools(entry)
            return False
        before = await self._hear(place)
        attempt = await attempted(self._reach(entry), self._clock)
        check = judged(place, attempt.seen, before, _us(self._clock))
        await self._board.note(integration, check)
        return check.up and check.failures > 0

    async def _hear(self, place: tuple[str, str]) -> HealthCheck | None:
        """What whoever looked last found."""
        found = await self._health.latest(*place)
        if found is not None:
            self._board.take(found)
        return found

    async def _reach(self, entry: Open) -> Reached:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                connector = await self._book.ready(entry)
        except TimeoutError:
            raise IntegrationUnavailable(f"integration {entry.name!r} could not be opened in time") from None
        entry.begin()
        try:
            reached = await reach(connector, entry.name, self._clock)
        finally:
            entry.end()
        if not entry.pinned:
            return reached
        try:
            return reached._replace(complaint=complaint(await self._book.hold(entry)))
        except StoreUnavailable as error:
            log.warning("tools of integration %s are not held against anything: %s", entry.name, error)
            return reached

    async def _look_at_tools(self, entry: Open) -> None:
        """Each instance uses what it saw itself, so each has to see what changed; whether it can be reached
        is another's business this time."""
        if not entry.pinned:
            return
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S + CHECK_TIMEOUT_S):
                await self._book.look(entry)
        except StoreUnavailable:
            raise
        except (InterchangeError, TimeoutError) as error:
            log.info("tools of integration %s could not be looked at: %s", entry.name, error)

    async def _tidy(self) -> None:
        now_s = self._clock.monotonic()
        if self._tidied_s is not None and now_s - self._tidied_s < TIDY_EVERY_S:
            return
        self._tidied_s = now_s
        try:
            await self._health.tidy(before_us=_us(self._clock) - KEPT_DAYS * _DAY_US, kept_max=KEPT_MAX)
        except StoreUnavailable as error:
            log.warning("store unavailable: %s", error.message)


def _monitoring(entry: Open) -> Monitoring:
    try:
        return monitoring_of(entry.integration.monitoring)
    except InvalidConfiguration:
        return Monitoring()  # kept by a version that read it otherwise


def _us(clock: Clock) -> int:
    return int(clock.utc_now().timestamp() * 1e6)
