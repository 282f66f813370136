"""Finished requests on their way to the collector: bounded, in batches, beside everything else."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from application.ports.spans import SpanExporter, SpansNotTaken
from application.ports.system import Clock
from application.tracing.tree import Interval, SpanTree
from domain.analytics.event import RequestEvent
from domain.tracing.active import TraceContext
from domain.tracing.span import Span

log = logging.getLogger("interchange")

WAITING_MAX: Final = 4096
"""Requests that wait for the collector; the next one is dropped and counted."""
BATCH_REQUESTS_MAX: Final = 128
SLICE_REQUESTS: Final = 4
"""So many are turned into spans before others get the event loop."""
PERIOD_S: Final = 1.0
BACK_OFF_S: Final = (1.0, 2.0, 4.0, 8.0)
"""Between tries of one batch; then it is given up."""
RETRY_AFTER_S_MAX: Final = 30.0
END_WITHIN_S: Final = 3.0
COMPLAIN_EVERY_S: Final = 60.0


class Finished(NamedTuple):
    """A request that is over, with what its event does not say."""

    event: RequestEvent
    context: TraceContext | None
    cache_further_us: Interval | None
    """Looking for its answer beyond this process's memory."""
    cache_write_us: Interval | None
    """Keeping its answer."""


class SpanQueue:
    """`run` is for the lifespan, which ends with `end`. Nobody waits for it."""

    def __init__(
        self,
        exporter: SpanExporter,
        tree: SpanTree,
        clock: Clock,
        *,
        waiting_max: int = WAITING_MAX,
        period_s: float = PERIOD_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._exporter = exporter
        self._tree = tree
        self._clock = clock
        self._waiting_max = waiting_max
        self._period_s = period_s
        self._sleep = sleep
        self._waiting: deque[Finished] = deque()
        self._batch_waits = asyncio.Event()
        self._sending = asyncio.Lock()
        self._ending = False
        self._complained_at: float | None = None
        self.sent = 0
        """Spans that the collector took, in this process."""
        self.rejected = 0
        """Spans that the collector did not want."""
        self.dropped = 0
        """Requests whose spans are lost: the queue was full, or the collector could not be reached."""
        self.failures = 0
        """Messages that did not reach the collector; some of them were sent again."""

    @property
    def waiting(self) -> int:
        """Requests that are not sent yet."""
        return len(self._waiting)

    def put(self, finished: Finished) -> None:
        """Takes it over, or drops and counts it."""
        waiting = self._waiting
        if len(waiting) >= self._waiting_max:
            self.dropped += 1
            return
        waiting.append(finished)
        if len(waiting) >= BATCH_REQUESTS_MAX and not self._batch_waits.is_set():
            self._batch_waits.set()

    async def run(self) -> None:
        """Sends what waits, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._period_s):
                    await self._batch_waits.wait()
            except TimeoutError:
                pass
            self._batch_waits.clear()
            while self._waiting:
                async with self._sending:
                    await self._send_batch(tries=len(BACK_OFF_S))

    async def end(self) -> None:
        """Sends what it can within `END_WITHIN_S`; the rest is dropped and counted."""
        self._ending = True
        try:
            async with asyncio.timeout(END_WITHIN_S):
                async with self._sending:  # what is being sent comes first
                    while self._waiting:
                        await self._send_batch(tries=0)
        except TimeoutError:
            pass
        finally:
            if self._waiting:
                self.dropped += len(self._waiting)
                log.warning("the spans of %d requests are lost: no time to send them", len(self._waiting))
                self._waiting.clear()

    async def _send_batch(self, *, tries: int) -> None:
        """Whatever ends it, what it took is sent or counted as dropped; what is cancelled goes back."""
        taken = [self._waiting.popleft() for _ in range(min(BATCH_REQUESTS_MAX, len(self._waiting)))]
        try:
            spans = await self._spans(taken)
            await self._deliver(spans, len(taken), tries)
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(taken))
            raise

    async def _spans(self, taken: list[Finished]) -> list[Span]:
        spans: list[Span] = []
        for number, each in enumerate(taken):
            try:
                spans.extend(self._tree.spans_of(*each))
            except Exception:
                self.dropped += 1
                log.exception("a trace could not be made of request %s", each.event.request_id)
            if number % SLICE_REQUESTS == SLICE_REQUESTS - 1:
                await asyncio.sleep(0)
        return spans

    async def _deliver(self, spans: list[Span], requests: int, tries: int) -> None:
        for wait_s in (*BACK_OFF_S[:tries], None):
            try:
                rejected = await self._exporter.export(spans)
            except SpansNotTaken as error:
                self.failures += 1
                if not error.again or wait_s is None or self._ending:
                    self._give_up(requests, error.message)
                    return
                asked_s = error.retry_after_s
                await self._sleep(wait_s if asked_s is None else min(asked_s, RETRY_AFTER_S_MAX))
            else:
                self.rejected += rejected
                self.sent += len(spans) - rejected
                return

    def _give_up(self, requests: int, why: str) -> None:
        self.dropped += requests
        now = self._clock.monotonic()
        if self._complained_at is None or now - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = now
            log.warning("traces are not exported: %s; %d requests dropped so far", why, self.dropped)
