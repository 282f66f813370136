"""Puts together what follows requests' traces, from ports alone."""

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from application.ports.spans import SpanExporter
from application.ports.system import Clock
from application.ports.telemetry import Gauge
from application.request_lines import RequestLines
from application.tracing.conventions import conventions
from application.tracing.queue import SpanQueue
from application.tracing.tracer import Tracing
from application.tracing.tree import SpanTree
from domain.analytics.event import RequestEvent
from entrypoints.background import BackgroundTasks
from entrypoints.settings import Settings

Observe = Callable[[RequestEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What the pipeline and the lifespan use: of traces, and of log lines of requests. `queue` None: nothing
    is recorded."""

    tracing: Tracing
    queue: SpanQueue | None
    lines: RequestLines

    def observing(self, observe: Observe) -> Observe:
        """What is told of each finished request, lines included where they are wanted."""
        if not self.lines.wanted:
            return observe
        note = self.lines.note

        def both(event: RequestEvent) -> None:
            observe(event)
            note(event)

        return both

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page; nothing where nothing is recorded."""
        if self.lines.wanted:
            yield Gauge(
                "interchange_request_lines_dropped_total",
                "Log lines of requests that were not written, because the log is read too slowly.",
                (((), self.lines.dropped),),
                "counter",
            )
        queue = self.queue
        if queue is None:
            return
        yield Gauge(
            "interchange_traces_recorded_total",
            "Requests whose spans this process took for the collector.",
            (((), self.tracing.recorded),),
            "counter",
        )
        yield Gauge(
            "interchange_traces_waiting",
            "Requests whose spans are not sent yet.",
            (((), queue.waiting),),
        )
        yield Gauge(
            "interchange_traces_dropped_total",
            "Requests whose spans are lost: the queue was full, or the collector could not be reached.",
            (((), queue.dropped),),
            "counter",
        )
        yield Gauge(
            "interchange_spans_total",
            "Spans by what became of them at the collector.",
            (
                ((("outcome", "sent"),), queue.sent),
                ((("outcome", "rejected"),), queue.rejected),
            ),
            "counter",
        )
        yield Gauge(
            "interchange_trace_export_failures_total",
            "Messages that did not reach the collector; most are sent again.",
            (((), queue.failures),),
            "counter",
        )

    def start(self, stack: AsyncExitStack, tasks: BackgroundTasks) -> None:
        """Sends behind the requests until the tasks end; the stack sends the rest, within seconds."""
        if self.lines.wanted:
            stack.push_async_callback(self.lines.end)
            tasks.start("request lines", self.lines.run)
        if self.queue is not None:
            stack.push_async_callback(self.queue.end)
            tasks.start("traces", self.queue.run)


def make_traces(settings: Settings, exporter: SpanExporter | None, clock: Clock) -> Traces:
    """`exporter` None: there is no collector."""
    section = settings.tracing
    told = section.told() if settings.telemetry.tracing_enabled else frozenset()
    queue = None
    if exporter is not None:
        tree = SpanTree(conventions(section.semantic_conventions), personal=section.personal_ids)
        queue = SpanQueue(exporter, tree, clock, waiting_max=section.queue_max)
    tracing = Tracing(section.sampling(), told, queue, keep_failures=section.keep_failures)
    lines = RequestLines(settings.logs.wish(), settings.logs.sample)
    return Traces(tracing=tracing, queue=queue, lines=lines)


def observers(traces: Traces, observe: Observe) -> Observe:
    """Whoever is told of finished requests."""
    return traces.observing(observe)
