"""Where usage left what was usual, hour by hour, and who moved it."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from application.hourly_usage import hour_of, hourly_sums, hours_of_callers
from application.ports.system import Clock
from application.ports.usage_query import (
    UsageDimension,
    UsageFilter,
    UsageOrder,
    UsageQuery,
)
from application.use_cases.forecast_usage import check_rolled, narrowed
from application.use_cases.report_usage import within_border
from domain.analytics.rollup import HOUR_US
from domain.anomalies.detector import SCALE_DAYS
from domain.anomalies.metrics import Found, Metric, amount, find_anomalies
from domain.anomalies.usual import WEEKS
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal

DAYS: Final = 7
DAYS_MAX: Final = 92
HISTORY_DAYS: Final = 7 * WEEKS + SCALE_DAYS
"""Before the days asked for: what is usual, and how far the series strays from it."""
GROUPS_MAX: Final = 20
EXPLAINED_MAX: Final = 5
"""Windows of which is told who moved them: the newest."""
CONTRIBUTORS_MAX: Final = 5
CONTRIBUTORS: Final = (
    UsageDimension.PROVIDER,
    UsageDimension.MODEL,
    UsageDimension.ROUTE,
    UsageDimension.KEY,
    UsageDimension.PROJECT,
)
_CONTRIBUTION_MIN: Final = 0.1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Contributor(NamedTuple):
    """One value of one dimension: its amount in the window, and in the same hours a week before (a day, where
    there is no week). `share` is its part of all that changed; several dimensions tell the same change."""

    dimension: UsageDimension
    value: str
    amount: int
    before: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A window of whole hours; `end_us` is exclusive. `group` is empty for all usage together. `open` says
    that it reaches to the newest whole hour, and may go on. `contributors` None: not looked at."""

    metric: Metric
    group: tuple[str, ...]
    start_us: int
    end_us: int
    open: bool
    found: Found
    contributors: tuple[Contributor, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomalies:
    """The newest first. `history_hours` is what there was to learn from before `to_us`, at most."""

    from_us: int
    to_us: int
    history_hours: int
    anomalies: tuple[Anomaly, ...]


class FindAnomalies:
    """Reads the sums by the hour, of at most 148 days. Never across the border of a tenant unless the caller
    runs the installation."""

    def __init__(self, usage: UsageQuery, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock

    async def __call__(
        self,
        by: Principal,
        where: UsageFilter,
        *,
        metrics: tuple[Metric, ...] = tuple(Metric),
        group_by: UsageDimension | None = None,
    ) -> Anomalies:
        """Windows that reach beyond `where.from_us` (seven days ago by default, 92 days at most) and began
        before `where.to_us` (now); of all usage together, or of each of the 20 groups that cost most.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        check_rolled(where, group_by)
        where = within_border(by, where)
        now_us = _us(self._clock.utc_now())
        # The hour that is not over is no whole one: it would always look like too little.
        to_us = min(now_us, now_us if where.to_us is None else where.to_us) // HOUR_US * HOUR_US
        from_us = to_us - DAYS * 24 * HOUR_US if where.from_us is None else where.from_us
        if to_us - from_us > DAYS_MAX * 24 * HOUR_US:
            raise InvalidRequest(f"from must be at most {DAYS_MAX} days before to", param="from")
        first_us = from_us // HOUR_US * HOUR_US - HISTORY_DAYS * 24 * HOUR_US
        where = replace(where, from_us=first_us, to_us=to_us)
        questions: list[tuple[tuple[str, ...], UsageFilter]] = [((), where)]
        if group_by is not None:
            groups = await self._usage.totals(where, (group_by,), limit=GROUPS_MAX)
            questions = [(group.key, narrowed(where, group_by, group.key[0])) for group in groups]
        found: list[tuple[Anomaly, UsageFilter]] = []
        history = 0
        for group, question in questions:
            hours = await hourly_sums(self._usage, question, first_us, to_us)
            known = next((place for place, hour in enumerate(hours) if hour.requests), len(hours))
            history = max(history, len(hours) - known)
            callers = hours
            if metrics != (Metric.COST,):
                callers = list(await hours_of_callers(self._usage, question, first_us, to_us, hours))
            for metric in metrics:
                samples = hours if metric is Metric.COST else callers
                windows = await asyncio.to_thread(find_anomalies, metric, samples)
                found += [(_anomaly(metric, group, one, first_us, to_us), question) for one in windows]
        recent = [each for each in found if each[0].end_us > from_us]
        recent.sort(key=lambda each: (-each[0].start_us, each[0].metric.value, each[0].group))
        explained = [
            replace(one, contributors=await self._contributors(one, question, first_us))
            for one, question in recent[:EXPLAINED_MAX]
        ]
        anomalies = (*explained, *(one for one, _ in recent[EXPLAINED_MAX:]))
        return Anomalies(from_us=from_us, to_us=to_us, history_hours=history, anomalies=anomalies)

    async def _contributors(
        self, anomaly: Anomaly, where: UsageFilter, first_us: int
    ) -> tuple[Contributor, ...]:
        """The values that moved it most, of those that explain a tenth of the change or more."""
        start_us, end_us = anomaly.start_us, anomaly.end_us
        week, day = 7 * 24 * HOUR_US, 24 * HOUR_US
        back = week if start_us - first_us >= week else day
        then = replace(where, from_us=start_us, to_us=end_us)
        earlier = replace(where, from_us=start_us - back, to_us=end_us - back)
        metric = anomaly.metric
        moved: list[Contributor] = []
        for dimension in CONTRIBUTORS:
            now_by = await self._amounts(metric, then, dimension)
            before_by = await self._amounts(metric, earlier, dimension)
            total = sum(now_by.values()) - sum(before_by.values())
            if not total or len({*now_by, *before_by}) < 2:
                continue  # who alone did everything tells nothing
            for value in {*now_by, *before_by}:
                now, before = now_by.get(value, 0), before_by.get(value, 0)
                moved.append(Contributor(dimension, value, now, before, (now - before) / total))
        moved = [one for one in moved if one.share >= _CONTRIBUTION_MIN]
        moved.sort(key=lambda one: (-one.share, CONTRIBUTORS.index(one.dimension), one.value))
        return tuple(moved[:CONTRIBUTORS_MAX])

    async def _amounts(self, metric: Metric, where: UsageFilter, dimension: UsageDimension) -> dict[str, int]:
        order = UsageOrder.COST if metric is Metric.COST else UsageOrder.REQUESTS
        rows = await self._usage.totals(where, (dimension,), limit=100, order=order)
        return {row.key[0]: amount(metric, hour_of(row)) for row in rows}


def _anomaly(metric: Metric, group: tuple[str, ...], found: Found, first_us: int, to_us: int) -> Anomaly:
    end_us = first_us + (found.window.last + 1) * HOUR_US
    return Anomaly(
        metric=metric,
        group=group,
        start_us=first_us + found.window.first * HOUR_US,
        end_us=end_us,
        open=end_us >= to_us,
        found=found,
    )


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
