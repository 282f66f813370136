"""Follows requests' traces: decides at their beginning, and hands over what is recorded at their end.

Beside a request this costs a header that is parsed where there is one, a hash, and an entry in a queue; spans
are made and sent later (`queue.py`).
"""

from typing import Final

from application.job import Job
from application.log_context import CURRENT
from application.tracing.queue import Finished, SpanQueue
from application.tracing.tree import Interval
from domain.analytics.event import RequestEvent
from domain.tracing.active import ActiveTrace, Receiver
from domain.tracing.context import TraceParent
from domain.tracing.ids import trace_id_of
from domain.tracing.sampling import Sampler

_FAILED: Final = frozenset({"error", "cut"})


class Tracing:
    """`queue` None: nothing is recorded here, and what callers say of their traces goes on as it came.

    `keep_failures`: requests that failed are recorded whatever the ratio decided, unless their caller did.
    """

    def __init__(
        self,
        sampler: Sampler,
        told: frozenset[Receiver],
        queue: SpanQueue | None = None,
        *,
        keep_failures: bool = True,
    ) -> None:
        self._sampler = sampler
        self._told = told
        self._queue = queue
        self._keep_failures = keep_failures
        self.recorded = 0
        """Requests whose spans were handed over, in this process."""

    def begin(self, job: Job) -> None:
        """Puts the trace of a request on its job, and its ids on log lines."""
        context = job.attribution.trace
        if self._queue is None:
            if context is not None:
                job.tracing = ActiveTrace(context.parent.trace_id, context, False, self._told)
                CURRENT.set((job.request_id, job.principal.tenant_id, context.parent.trace_id))
            else:
                CURRENT.set((job.request_id, job.principal.tenant_id, ""))
            return
        parent: TraceParent | None = None
        if context is None:
            trace_id = trace_id_of(job.request_id)
        else:
            parent = context.parent
            trace_id = parent.trace_id
        job.tracing = ActiveTrace(trace_id, context, self._sampler.records(trace_id, parent), self._told)
        CURRENT.set((job.request_id, job.principal.tenant_id, trace_id))

    def ended(self, job: Job, event: RequestEvent) -> None:
        """Takes over a finished request. Never waits, never raises."""
        CURRENT.set(None)
        trace, queue = job.tracing, self._queue
        if trace is None or queue is None:
            return
        if not trace.recorded and not self._worth_keeping(trace, event):
            return
        self.recorded += 1
        further, write = _on_the_clock(job, job.cache_further), _on_the_clock(job, job.cache_write)
        queue.put(Finished(event, trace.context, further, write))

    def _worth_keeping(self, trace: ActiveTrace, event: RequestEvent) -> bool:
        if not self._keep_failures or event.outcome not in _FAILED:
            return False
        return trace.context is None or not self._sampler.parent_based


def _on_the_clock(job: Job, from_to: tuple[float, float] | None) -> Interval | None:
    """Monotonic seconds as UTC epoch microseconds."""
    if from_to is None:
        return None
    at_us, began = job.started_at_us, job.started
    return at_us + int((from_to[0] - began) * 1e6), at_us + int((from_to[1] - began) * 1e6)


NO_TRACING: Final = Tracing(Sampler(0.0), frozenset())
"""Nobody records and nobody is told; a caller's trace is noted all the same."""
