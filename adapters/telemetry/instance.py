"""One page for all workers of an instance, whichever of them is asked.

A worker writes its numbers to its file about once a second, beside requests, and once more before it answers
a scrape; the page is made of what lies in the files alone. So no page tells less than an earlier one did, and
what another worker counted is at most about a second old. Gauges of other workers are at most five.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from adapters.telemetry.gauges import gauge_families
from adapters.telemetry.merging import Snapshot, described, merged
from adapters.telemetry.metrics import PrometheusMetrics
from adapters.telemetry.process import process_families
from adapters.telemetry.series import Family, page_of
from adapters.telemetry.windows import Window, added, window_families
from adapters.telemetry.worker_files import Read, WorkerFiles
from application.ports.telemetry import Gauge, Metric, MetricsPage

log = logging.getLogger("interchange")
T = TypeVar("T")

WRITE_EVERY_S: Final = 1.0
GAUGES_EVERY_S: Final = 5.0
ADD_UP_EVERY_S: Final = 10.0
SHARE_MAX: Final = 0.01
"""Of a processor, for writing beside requests: what takes longer to collect is written less often."""


def instance_page(read: Read, listed: Mapping[str, Metric], now_s: float) -> bytes:
    """The page of what lies in the files."""
    snapshots = [*read.ended, *read.living]
    families = merged([snapshot.families for snapshot in snapshots], listed)
    families.extend(window_families(added(snapshot.window for snapshot in read.living)))
    families.append(Family("interchange_workers", "gauge", "", (), {(): len(read.living)}))
    if read.living:
        age_s = max(0.0, max(now_s - snapshot.at_s for snapshot in read.living))
        families.append(Family("interchange_worker_numbers_age_seconds", "gauge", "", (), {(): age_s}))
    return page_of(described(families, listed))


class InstanceMetrics(MetricsPage):
    """Belongs to one event loop. Order of life: `start`, `run` as a task of its owner, `aclose`.

    Without files, as before `start` or where none can be made, the page tells of this worker alone.
    """

    def __init__(
        self,
        metrics: PrometheusMetrics,
        files: WorkerFiles,
        listed: Mapping[str, Metric],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sources: list[Callable[[], Iterable[Gauge]]] = []
        """What is read at the moment of asking; added to by whoever knows something."""
        self._metrics = metrics
        self._files = files
        self._listed = listed
        self._now_s = monotonic
        self._started_s = monotonic()
        self._window = Window(self._started_s)
        self._gauges: list[Family] = []
        self._counted: dict[str, dict[tuple[str, ...], list[int]]] = {}
        self._gauges_at_s = float("-inf")
        self._lag_s = 0.0
        self._open = False
        self._failing = False
        self._turn = asyncio.Lock()
        self._last = Read([], [])

    async def start(self) -> None:
        """Takes a place among the workers; one that cannot is told in the log."""
        try:
            await asyncio.to_thread(self._files.open)
            self._open = True
        except OSError as error:
            log.warning("metrics of this worker are not shared with others: %s", error)

    async def run(self) -> None:
        """Writes what was counted until cancelled."""
        pause_s, add_up_at_s = WRITE_EVERY_S, 0.0
        while True:
            due_s = self._now_s() + pause_s
            await asyncio.sleep(pause_s)
            self._lag_s = max(0.0, self._now_s() - due_s)
            if not self._open:
                continue
            async with self._turn:
                took_s = await self._write()
                if self._now_s() >= add_up_at_s:
                    add_up_at_s = self._now_s() + ADD_UP_EVERY_S
                    await self._bear(self._files.add_up_ended)
            pause_s = max(WRITE_EVERY_S, took_s / SHARE_MAX)

    async def page(self) -> bytes:
        async with self._turn:
            self._gauges_at_s = float("-inf")
            await self._write()
            own = self._snapshot()
            read = await self._bear(self._files.read) if self._open and not self._failing else None
            if read is None:
                # The disk is full or away: what is known here, and what those that ended had left.
                read = Read([own], self._last.ended)
            self._last = read
            return await asyncio.to_thread(instance_page, read, self._listed, self._now_s())

    async def aclose(self) -> None:
        """Leaves what was counted to the others. Idempotent."""
        async with self._turn:
            if self._open:
                await self._write()
                self._open = False
                await self._bear(self._files.close)

    async def _write(self) -> float:
        """Shares what was counted; answers how long that kept the loop, in seconds."""
        tenants = self._metrics.tenants
        if not tenants.full and (waiting := tenants.candidates()):
            names = (
                await self._bear(lambda: self._files.share_tenants(waiting, tenants.places))
                if self._open
                else waiting
            )
            tenants.show(names or ())
        began_s = self._now_s()
        if began_s - self._gauges_at_s >= GAUGES_EVERY_S:
            self._gauges_at_s = began_s
            self._gauges = [family for source in self.sources for family in gauge_families(source())]
            self._counted = self._window.take(began_s, self._metrics.windowed())
        snapshot = self._snapshot()
        took_s = self._now_s() - began_s
        if self._open:
            await self._bear(lambda: self._files.write(snapshot))
        return took_s

    def _snapshot(self) -> Snapshot:
        families = [
            *self._metrics.families(),
            *self._gauges,
            *process_families(self._started_s, self._lag_s),
        ]
        return Snapshot(self._now_s(), families, self._counted)

    async def _bear(self, work: Callable[[], T]) -> T | None:
        """What blocking work returns; None when the disk would not have it, which the log tells once."""
        try:
            result = await asyncio.to_thread(work)
        except OSError as error:
            if not self._failing:
                log.warning("metrics cannot be shared with other workers: %s", error)
            self._failing = True
            return None
        self._failing = False
        return result


class ReadingPage(MetricsPage):
    """The page for a process that counts nothing itself: of what lies in the files."""

    def __init__(
        self,
        files: WorkerFiles,
        listed: Mapping[str, Metric],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = files
        self._listed = listed
        self._now_s = monotonic

    async def page(self) -> bytes:
        return await asyncio.to_thread(self._made)

    def _made(self) -> bytes:
        return instance_page(self._files.read(), self._listed, self._now_s())
