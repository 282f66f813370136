"""What usage comes to in the days ahead, and by the end of the month, from the sums of days."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

from application.ports.system import Clock
from application.ports.usage_query import (
    TIME_DIMENSIONS,
    UNROLLED,
    UsageDimension,
    UsageFilter,
    UsageOrder,
    UsageQuery,
    UsageTotals,
)
from application.use_cases.report_usage import within_border
from domain.analytics.focus import Period, period_of
from domain.analytics.rollup import DAY_US
from domain.errors import InvalidRequest
from domain.forecasting.forecast import (
    HISTORY_DAYS_MAX,
    HORIZON_DAYS_MAX,
    Expected,
    Interval,
    SeriesForecast,
    forecast_days,
)
from domain.tenancy.principal import Principal

HORIZON_DAYS: Final = 28
GROUPS_MAX: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ForecastMetric(Enum):
    COST = "cost"
    """Nano-dollars."""
    REQUESTS = "requests"
    TOKENS = "tokens"
    """Input and output."""


FORECAST_UNITS: Final = {
    ForecastMetric.COST: "nano_usd",
    ForecastMetric.REQUESTS: "requests",
    ForecastMetric.TOKENS: "tokens",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthEnd:
    """The month of the first day ahead. `so_far` is what was used of it, that day included as far as it is
    over; `whole` is what all of it comes to, never less."""

    period: Period
    so_far: int
    whole: Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageForecast:
    """Amounts are of the metric's unit. `series` has a day for each of the horizon, the first of which begins
    at `first_day_us` and may be partly over, then of what `first_day_so_far` was used; None: there is no
    history. `history` are the whole days before, since the first use, the oldest first."""

    group: tuple[str, ...]
    history: tuple[int, ...]
    first_day_us: int
    first_day_so_far: int
    series: SeriesForecast | None
    month: MonthEnd | None
    unpriced_requests: int
    """Of the history: requests whose cost is not known, and so in no amount of money."""


class ForecastUsage:
    """Reads the sums of days, of at most 400 of them. Never across the border of a tenant unless the caller
    runs the installation."""

    def __init__(self, usage: UsageQuery, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock

    async def __call__(
        self,
        by: Principal,
        where: UsageFilter,
        *,
        metric: ForecastMetric = ForecastMetric.COST,
        horizon_days: int = HORIZON_DAYS,
        group_by: UsageDimension | None = None,
    ) -> list[UsageForecast]:
        """One forecast, or one for each of the 20 groups that cost most. `where.to_us` is the moment to look
        ahead from, now by default; `where.from_us` the beginning of the history, at most 400 days before.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        if not 1 <= horizon_days <= HORIZON_DAYS_MAX:
            raise InvalidRequest(f"horizon_days must be 1-{HORIZON_DAYS_MAX}", param="horizon_days")
        check_rolled(where, group_by)
        where = within_border(by, where)
        now_us = _us(self._clock.utc_now()) if where.to_us is None else where.to_us
        first_day_us = now_us // DAY_US * DAY_US
        oldest_us = first_day_us - HISTORY_DAYS_MAX * DAY_US
        from_us = oldest_us if where.from_us is None else max(oldest_us, -(-where.from_us // DAY_US) * DAY_US)
        where = replace(where, from_us=min(from_us, first_day_us), to_us=now_us)
        if group_by is None:
            return [await self._forecast((), where, metric, horizon_days)]
        groups = await self._usage.totals(where, (group_by,), limit=GROUPS_MAX)
        return [
            await self._forecast(group.key, narrowed(where, group_by, group.key[0]), metric, horizon_days)
            for group in groups
        ]

    async def _forecast(
        self, group: tuple[str, ...], where: UsageFilter, metric: ForecastMetric, horizon_days: int
    ) -> UsageForecast:
        assert where.from_us is not None, "it was set just now"
        assert where.to_us is not None, "it was set just now"
        rows = await self._usage.totals(
            where, (UsageDimension.DAY,), limit=HISTORY_DAYS_MAX + 1, order=UsageOrder.KEY
        )
        first_day_us = where.to_us // DAY_US * DAY_US
        days = [0] * ((first_day_us - where.from_us) // DAY_US + 1)
        for row in rows:
            days[(_day_us(row.key[0]) - where.from_us) // DAY_US] += _amount(metric, row)
        history, today = days[:-1], days[-1]
        month = period_of(first_day_us, "month")
        left = (month.end_us - first_day_us) // DAY_US
        # Back-tests take tens of milliseconds: not on the loop that answers requests.
        series = await asyncio.to_thread(forecast_days, history, max(horizon_days, left))
        over = (first_day_us - month.start_us) // DAY_US
        before = sum(history[-over:]) if over else 0
        return UsageForecast(
            group=group,
            history=() if series is None else tuple(history[-series.history_days :]),
            first_day_us=first_day_us,
            first_day_so_far=today,
            series=None if series is None else shortened(series, horizon_days),
            month=None if series is None else _month_end(month, before, today, series.totals[left - 1]),
            unpriced_requests=sum(row.unpriced_requests for row in rows),
        )


def check_rolled(where: UsageFilter, group_by: UsageDimension | None) -> None:
    """Raises InvalidRequest for dimensions that only single rows know, and for times as a group."""
    asked = {dimension for dimension, _ in where.demands()}
    if group_by is not None:
        if group_by in TIME_DIMENSIONS:
            raise InvalidRequest(f"by: {group_by.value} is a time, no group", param="by")
        asked.add(group_by)
    for dimension in UNROLLED & asked:
        raise InvalidRequest(
            f"{dimension.value} is not in the sums by the hour that this is made of", param=dimension.value
        )


def narrowed(where: UsageFilter, dimension: UsageDimension, value: str) -> UsageFilter:
    """The same question about one group. A tenant's own border stays."""
    if dimension is UsageDimension.TENANT:
        return replace(where, tenant_id=value)
    return replace(
        where, only=(*(pair for pair in where.only if pair[0] is not dimension), (dimension, (value,)))
    )


def shortened(series: SeriesForecast, days: int) -> SeriesForecast:
    """The first days of it."""
    return replace(series, days=series.days[:days], totals=series.totals[:days])


def _month_end(month: Period, before: int, today: int, rest: Expected) -> MonthEnd:
    so_far = before + today

    def whole(amount: float) -> float:
        return max(float(so_far), before + amount)

    def moved(interval: Interval | None) -> Interval | None:
        return None if interval is None else Interval(whole(interval.low), whole(interval.high))

    expected = Expected(whole(rest.point), moved(rest.interval_80), moved(rest.interval_95))
    return MonthEnd(period=month, so_far=so_far, whole=expected)


def _amount(metric: ForecastMetric, row: UsageTotals) -> int:
    if metric is ForecastMetric.COST:
        return row.cost_nano_usd
    if metric is ForecastMetric.REQUESTS:
        return row.requests
    return row.input_tokens + row.output_tokens


def _day_us(text: str) -> int:
    return _us(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
