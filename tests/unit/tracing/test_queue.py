"""Traces on their way to a collector that may be slow, full or gone."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from adapters.memory.spans import InMemorySpanExporter
from adapters.memory.system import SteppingClock
from application.job import Attribution
from application.ports.spans import SpansNotTaken
from application.tracing.queue import BACK_OFF_S, Finished, SpanQueue
from application.tracing.tracer import Tracing
from application.tracing.tree import SpanTree
from domain.tracing.active import Receiver, TraceContext
from domain.tracing.context import TraceParent
from domain.tracing.ids import trace_id_of
from domain.tracing.sampling import Sampler
from tests.unit.tracing.events import event
from tests.unit.tracing.jobs import job

AWAY = SpansNotTaken("away", again=True)
PARENT = TraceParent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 1)


def finished(number: int = 0) -> Finished:
    return Finished(event(request_id=f"req_{number}"), None, None, None)


class Slept:
    """Remembers how long it was to wait, and does not."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.waits: list[float] = []
        self._then = then

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._then()
        await asyncio.sleep(0)


def queue_to(
    exporter: InMemorySpanExporter,
    waiting_max: int = 1000,
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> SpanQueue:
    return SpanQueue(
        exporter, SpanTree(), SteppingClock(), waiting_max=waiting_max, period_s=0.01, sleep=sleep or Slept()
    )


async def run_until(queue: SpanQueue, done: Callable[[], bool]) -> None:
    task = asyncio.create_task(queue.run())
    try:
        async with asyncio.timeout(10):
            while not done():  # noqa: ASYNC110 - whatever it is, it shows itself
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_everything_that_was_put_in_arrives_once() -> None:
    exporter = InMemorySpanExporter()
    queue = queue_to(exporter)

    for number in range(300):
        queue.put(finished(number))
    await run_until(queue, lambda: queue.waiting == 0 and queue.sent > 0)
    await queue.end()

    roots = [span.span_id for span in exporter.spans if not span.parent_span_id]
    assert len(roots) == len(set(roots)) == 300
    assert queue.sent == len(exporter.spans)
    assert queue.dropped == 0


async def test_what_has_no_place_is_dropped_and_counted() -> None:
    queue = queue_to(InMemorySpanExporter(), waiting_max=10)

    for number in range(25):
        queue.put(finished(number))

    assert (queue.waiting, queue.dropped) == (10, 15)


async def test_a_collector_that_comes_back_gets_what_it_missed() -> None:
    exporter = InMemorySpanExporter()
    exporter.refusing = SpansNotTaken("busy", again=True, retry_after_s=5.0)

    def come_back() -> None:
        exporter.refusing = None

    slept = Slept(come_back)
    queue = queue_to(exporter, sleep=slept)
    queue.put(finished())

    await run_until(queue, lambda: queue.sent > 0)

    assert slept.waits == [5.0]
    assert (queue.failures, queue.dropped) == (1, 0)


async def test_a_collector_that_stays_away_costs_the_traces_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exporter = InMemorySpanExporter()
    exporter.refusing = AWAY
    slept = Slept()
    queue = queue_to(exporter, sleep=slept)
    for number in range(3):
        queue.put(finished(number))

    await run_until(queue, lambda: queue.dropped == 3)

    assert slept.waits == list(BACK_OFF_S)
    assert caplog.text.count("traces are not exported") == 1


async def test_what_was_refused_for_good_is_not_sent_again() -> None:
    exporter = InMemorySpanExporter()
    exporter.refusing = SpansNotTaken("bad request", again=False)
    slept = Slept()
    queue = queue_to(exporter, sleep=slept)
    queue.put(finished())

    await run_until(queue, lambda: queue.dropped == 1)

    assert slept.waits == []


async def test_spans_the_collector_did_not_want_are_counted() -> None:
    exporter = InMemorySpanExporter()
    exporter.rejecting = 1
    queue = queue_to(exporter)
    queue.put(finished())

    await queue.end()

    assert queue.rejected == 1


async def test_the_end_sends_what_waits_and_does_not_wait_for_who_is_away() -> None:
    exporter = InMemorySpanExporter()
    queue = queue_to(exporter)
    queue.put(finished())
    await queue.end()
    assert exporter.spans

    exporter.refusing = AWAY
    slept = Slept()
    queue = queue_to(exporter, sleep=slept)
    queue.put(finished())
    await queue.end()
    assert (queue.waiting, queue.dropped, slept.waits) == (0, 1, [])


async def test_a_cancelled_sender_gives_back_what_it_had() -> None:
    asked = asyncio.Event()

    class Hanging(InMemorySpanExporter):
        hangs = True

        async def export(self, spans: object) -> int:
            if self.hangs:
                asked.set()
                await asyncio.Event().wait()
            return await super().export(spans)  # type: ignore[arg-type]

    exporter = Hanging()
    queue = queue_to(exporter)
    queue.put(finished())
    task = asyncio.create_task(queue.run())
    await asked.wait()

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    exporter.hangs = False
    await queue.end()
    assert len(exporter.spans) > 0


def tracing(queue: SpanQueue | None, ratio: float = 0.0, *, parent_based: bool = True) -> Tracing:
    return Tracing(Sampler(ratio, parent_based), frozenset(Receiver), queue)


def test_without_a_collector_a_callers_trace_is_noted_and_not_recorded() -> None:
    begun = job(attribution=Attribution(trace=TraceContext(PARENT)))

    tracing(None, 1.0).begin(begun)

    assert begun.tracing is not None
    assert begun.tracing.trace_id == PARENT.trace_id
    assert not begun.tracing.recorded
    assert dict(begun.tracing.headers(Receiver.GATEWAY, "x")) == {
        "traceparent": f"00-{PARENT.trace_id}-{PARENT.span_id}-01"
    }


def test_without_a_collector_nothing_begins_here() -> None:
    begun = job()

    tracing(None, 1.0).begin(begun)

    assert begun.tracing is None


def test_a_ratio_is_decided_when_a_request_begins() -> None:
    queue, chance = queue_to(InMemorySpanExporter()), random.Random(3)
    half = tracing(queue, 0.5)
    recorded = 0
    for _ in range(400):
        begun = job(request_id=f"req_{chance.getrandbits(64):x}")
        half.begin(begun)
        assert begun.tracing is not None
        assert begun.tracing.trace_id == trace_id_of(begun.request_id)
        recorded += begun.tracing.recorded
        half.ended(begun, event(request_id=begun.request_id))

    assert 150 < recorded < 250
    assert queue.waiting == recorded == half.recorded


@pytest.mark.parametrize(
    ("outcome", "kept"), [("error", 1), ("cut", 1), ("ok", 0), ("refused", 0), ("cancelled", 0)]
)
def test_failures_are_recorded_whatever_the_ratio_said(outcome: str, kept: int) -> None:
    queue = queue_to(InMemorySpanExporter())
    none, begun = tracing(queue), job()

    none.begin(begun)
    none.ended(begun, event(outcome=outcome))

    assert queue.waiting == kept


def test_a_failure_of_a_caller_that_decided_against_it_is_not_recorded() -> None:
    queue = queue_to(InMemorySpanExporter())
    unrecorded = TraceContext(PARENT._replace(flags=0))
    none, begun = tracing(queue), job(attribution=Attribution(trace=unrecorded))

    none.begin(begun)
    none.ended(begun, event(outcome="error"))

    assert queue.waiting == 0
