"""Usage rows in memory: for tests and simulations; gone with the process."""

from adapters.memory.usage_counting import counts, key_of, place_in, summed
from application.ports.request_rows import ANY_HIT, RequestRows, RowFilter, place_of
from application.ports.usage import UsageLog
from application.ports.usage_query import UsageDimension, UsageFilter, UsageOrder, UsageQuery, UsageTotals
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.errors import StoreUnavailable


class InMemoryUsageLog(UsageLog, UsageQuery, RequestRows):
    """Rows wait in a bounded buffer until `flush` or a query writes them. Set `reachable` to False to
    take the database away; a full buffer then makes `accepting` false, and rows are still not dropped."""

    def __init__(self, *, buffer_rows_max: int = 100_000) -> None:
        self.reachable = True
        self.requests: dict[str, RequestEvent] = {}
        self.attempts: dict[str, AttemptEvent] = {}
        self._buffer: list[RequestEvent] = []
        self._buffer_rows_max = buffer_rows_max

    def record(self, event: RequestEvent) -> None:
        self._buffer.append(event)
        if self.reachable and len(self._buffer) >= self._buffer_rows_max:
            self._write()

    @property
    def accepting(self) -> bool:
        return len(self._buffer) < self._buffer_rows_max

    @property
    def healthy(self) -> bool:
        return self.reachable

    async def flush(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the usage database is not reachable")
        self._write()

    def _write(self) -> None:
        for event in self._buffer:
            self.requests.setdefault(event.request_id, event)
            for attempt in event.attempts:
                self.attempts.setdefault(attempt.attempt_id, attempt)
        self._buffer.clear()

    async def totals(
        self,
        where: UsageFilter,
        by: tuple[UsageDimension, ...] = (),
        *,
        limit: int = 1000,
        order: UsageOrder = UsageOrder.COST,
    ) -> list[UsageTotals]:
        await self.flush()
        attempts: dict[str, list[AttemptEvent]] = {}
        for attempt in self.attempts.values():
            attempts.setdefault(attempt.request_id, []).append(attempt)
        groups: dict[tuple[str, ...], list[RequestEvent]] = {} if by else {(): []}
        for event in self.requests.values():
            if counts(where, event):
                groups.setdefault(key_of(event, by), []).append(event)
        rows = [summed(key, events, attempts) for key, events in groups.items()]
        return sorted(rows, key=lambda row: place_in(order, row))[:limit]

    async def newest(self, where: RowFilter, *, limit: int) -> list[RequestEvent]:
        await self.flush()
        found = [event._replace(attempts=()) for event in self.requests.values() if _shown(where, event)]
        return sorted(found, key=place_of, reverse=True)[:limit]

    async def one(self, request_id: str, tenant_id: str | None) -> RequestEvent | None:
        await self.flush()
        found = self.requests.get(request_id)
        return None if found is None or tenant_id not in (None, found.tenant_id) else found


def _shown(where: RowFilter, event: RequestEvent) -> bool:
    place = place_of(event)
    return (
        where.tenant_id in (None, event.tenant_id)
        and where.key_id in (None, event.key_id)
        and where.agent_id in (None, event.agent_id)
        and where.session_id in (None, event.session_id)
        and where.user_id in (None, event.user_id)
        and where.provider in (None, event.provider)
        and where.model in (None, event.model)
        and where.route in (None, event.route)
        and where.outcome in (None, event.outcome)
        and where.status in (None, event.status)
        and (where.cache in (None, event.cache) or (where.cache == ANY_HIT and event.cache.startswith("hit")))
        and where.task in (None, event.task)
        and where.trace_id in (None, event.trace_id)
        and (where.min_cost_nano_usd is None or _cost_known_or_less(event) >= where.min_cost_nano_usd)
        and (where.min_duration_us is None or event.duration_us >= where.min_duration_us)
        and where.has_fallback in (None, event.fallbacks > 0)
        and not (where.failed and event.outcome == "ok")
        and (where.from_us is None or place.finished_us >= where.from_us)
        and (where.to_us is None or place.finished_us < where.to_us)
        and (where.after is None or place < where.after)
    )


def _cost_known_or_less(event: RequestEvent) -> int:
    return -1 if event.cost_nano_usd is None else event.cost_nano_usd
