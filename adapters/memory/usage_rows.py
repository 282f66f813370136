"""Usage row by row, from a log in memory."""

from adapters.memory.usage import InMemoryUsageLog
from adapters.memory.usage_counting import counts
from application.ports.usage_query import UNROLLED, UsageFilter
from application.ports.usage_rows import RequestPlace, RollupPlace, UsageRows
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.analytics.reconciliation import Recorded, recorded_of
from domain.analytics.rollup import HOUR_US, Rollup, group_id, roll_up


class InMemoryUsageRows(UsageRows):
    """Reads what `log` holds."""

    def __init__(self, log: InMemoryUsageLog) -> None:
        self._log = log

    async def tenants(self, where: UsageFilter) -> list[str]:
        await self._log.flush()
        return sorted(
            {
                event.tenant_id
                for event in self._log.requests.values()
                if where.tenant_id in (None, event.tenant_id) and _in_hours(where, event)
            }
        )

    async def requests(
        self, tenant_id: str, where: UsageFilter, *, after: RequestPlace | None, limit: int, attempts: bool
    ) -> list[RequestEvent]:
        await self._log.flush()
        found = sorted(
            (_place(event), event)
            for event in self._log.requests.values()
            if event.tenant_id == tenant_id
            and counts(where, event)
            and (after is None or _place(event) > after)
        )
        page = [event for _, event in found[:limit]]
        return [self._with_attempts(event) if attempts else event._replace(attempts=()) for event in page]

    def _with_attempts(self, event: RequestEvent) -> RequestEvent:
        mine = [one for one in self._log.attempts.values() if one.request_id == event.request_id]
        return event._replace(attempts=tuple(sorted(mine, key=lambda one: one.ordinal)))

    async def rollups(
        self, tenant_id: str, where: UsageFilter, *, after: RollupPlace | None, limit: int
    ) -> list[Rollup]:
        assert not any(dimension in UNROLLED for dimension, _ in where.demands()), (
            "roll-ups do not know these"
        )
        await self._log.flush()
        rows = roll_up(
            event
            for event in self._log.requests.values()
            if event.tenant_id == tenant_id
            and counts(where, event._replace(started_at_us=event.started_at_us // HOUR_US * HOUR_US))
        )
        found = sorted((RollupPlace(row.key.hour_us, group_id(row.key)), row) for row in rows)
        return [row for place, row in found if after is None or place > after][:limit]

    async def recorded(self, provider: str, from_us: int, to_us: int) -> list[Recorded]:
        await self._log.flush()
        mine: list[AttemptEvent] = [
            one
            for one in self._log.attempts.values()
            if one.provider == provider and from_us <= one.started_at_us < to_us
        ]
        return recorded_of(mine)


def _place(event: RequestEvent) -> RequestPlace:
    return RequestPlace(event.started_at_us, event.request_id)


def _in_hours(where: UsageFilter, event: RequestEvent) -> bool:
    hour_us = event.started_at_us // HOUR_US * HOUR_US
    return (where.from_us is None or hour_us >= where.from_us // HOUR_US * HOUR_US) and (
        where.to_us is None or hour_us < where.to_us
    )
