"""Recorded decisions in memory: for tests and simulations."""

from collections.abc import Callable, Sequence
from statistics import fmean

from application.ports.decision_log import (
    COUNTED_CACHES,
    COUNTED_OUTCOMES,
    READ_MAX,
    DecisionLog,
    DecisionsWanted,
)
from domain.analytics.event import RequestEvent
from domain.backtest.record import Record
from domain.errors import StoreUnavailable


class InMemoryDecisionLog(DecisionLog):
    """Of events in memory; `scores` tells what was said of a request. Set `reachable` to False to take it
    away."""

    def __init__(
        self,
        events: Callable[[], Sequence[RequestEvent]],
        scores: Callable[[RequestEvent], Sequence[float]] = lambda _event: (),
    ) -> None:
        self.reachable = True
        self._events = events
        self._scores = scores

    async def newest(self, wanted: DecisionsWanted, *, limit: int) -> Sequence[Record]:
        if not self.reachable:
            raise StoreUnavailable("usage rows are not reachable")
        mine = sorted(
            (event for event in self._events() if _counts(event, wanted)),
            key=lambda event: (event.started_at_us, event.request_id),
            reverse=True,
        )
        return [self._record(event) for event in mine[: min(limit, READ_MAX)]]

    def _record(self, event: RequestEvent) -> Record:
        values = {name: getattr(event, name) for name in Record._fields if name not in ("first", "score")}
        scores = self._scores(event)
        return Record(
            **values, first=event.planned.partition(",")[0], score=fmean(scores) if scores else None
        )


def _counts(event: RequestEvent, wanted: DecisionsWanted) -> bool:
    return (
        (event.tenant_id, event.route) == (wanted.tenant_id, wanted.route)
        and wanted.from_us <= event.started_at_us < wanted.to_us
        and bool(event.planned)
        and event.outcome in COUNTED_OUTCOMES
        and event.cache in COUNTED_CACHES
    )
