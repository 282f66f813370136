"""`/api/v1/analytics/forecast` and `/api/v1/analytics/anomalies`: what comes, and what was out of the
ordinary. Queries are read here, for routes and commands alike."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from starlette.datastructures import QueryParams
from starlette.requests import Request

from application.ports.usage_query import TIME_DIMENSIONS, UNROLLED, UsageDimension, UsageFilter
from application.use_cases.find_anomalies import Anomalies, Anomaly
from application.use_cases.forecast_usage import (
    FORECAST_UNITS,
    HORIZON_DAYS,
    ForecastMetric,
    MonthEnd,
    UsageForecast,
)
from application.use_cases.read_usage import UsageUseCases
from domain.analytics.rollup import DAY_US
from domain.anomalies.metrics import UNITS, Metric
from domain.anomalies.telling import sentence
from domain.errors import InvalidRequest
from domain.forecasting.forecast import BackTest, Expected
from domain.money import format_usd
from domain.tenancy.principal import Principal
from entrypoints.http.usage_questions import (
    iso,
    read_choice,
    read_dimensions,
    read_filter,
    read_whole,
    refuse_unknown,
)

FORECAST_METRICS: Final = [metric.value for metric in ForecastMetric]
ALL: Final = "all"
ANOMALY_METRICS: Final = [ALL, *(metric.value for metric in Metric)]
GROUPED_BY: Final = [
    dimension.value
    for dimension in UsageDimension
    if dimension not in TIME_DIMENSIONS and dimension not in UNROLLED
]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ForecastWish(NamedTuple):
    where: UsageFilter
    metric: ForecastMetric
    horizon_days: int
    group_by: UsageDimension | None


class AnomalyWish(NamedTuple):
    where: UsageFilter
    metrics: tuple[Metric, ...]
    group_by: UsageDimension | None


class Outlook:
    """The handlers."""

    def __init__(self, use_cases: UsageUseCases) -> None:
        self._use = use_cases

    async def forecast(self, request: Request, by: Principal) -> Any:
        return await forecast_answer(self._use, by, request.query_params)

    async def anomalies(self, request: Request, by: Principal) -> Any:
        return await anomalies_answer(self._use, by, request.query_params)


async def forecast_answer(use: UsageUseCases, by: Principal, query: QueryParams) -> dict[str, Any]:
    """Raises Forbidden, InvalidRequest, StoreUnavailable."""
    wish = read_forecast_wish(query)
    found = await use.forecast(
        by, wish.where, metric=wish.metric, horizon_days=wish.horizon_days, group_by=wish.group_by
    )
    return {
        "metric": wish.metric.value,
        "unit": FORECAST_UNITS[wish.metric],
        "horizon_days": wish.horizon_days,
        "by": None if wish.group_by is None else wish.group_by.value,
        "forecasts": [_forecast_object(one, wish) for one in found],
    }


async def anomalies_answer(use: UsageUseCases, by: Principal, query: QueryParams) -> dict[str, Any]:
    """Raises Forbidden, InvalidRequest, StoreUnavailable."""
    wish = read_anomaly_wish(query)
    found = await use.anomalies(by, wish.where, metrics=wish.metrics, group_by=wish.group_by)
    return anomalies_object(found, wish)


def read_forecast_wish(query: QueryParams) -> ForecastWish:
    """Raises InvalidRequest."""
    refuse_unknown(query, ("metric", "horizon_days", "by"))
    return ForecastWish(
        read_filter(query),
        ForecastMetric(read_choice(query, "metric", FORECAST_METRICS)),
        read_whole(query, "horizon_days", HORIZON_DAYS),
        _read_group(query),
    )


def read_anomaly_wish(query: QueryParams) -> AnomalyWish:
    """Raises InvalidRequest."""
    refuse_unknown(query, ("metric", "by"))
    metric = read_choice(query, "metric", ANOMALY_METRICS)
    metrics = tuple(Metric) if metric == ALL else (Metric(metric),)
    return AnomalyWish(read_filter(query), metrics, _read_group(query))


def _read_group(query: QueryParams) -> UsageDimension | None:
    wanted = read_dimensions(query, "by")
    if len(wanted) > 1:
        raise InvalidRequest(f"by takes one of {', '.join(GROUPED_BY)}", param="by")
    return wanted[0] if wanted else None


def _forecast_object(one: UsageForecast, wish: ForecastWish) -> dict[str, Any]:
    metric, series = wish.metric, one.series
    first_us = one.first_day_us - len(one.history) * DAY_US
    return {
        "group": _group(wish.group_by, one.group),
        "history": [
            {"date": _date(first_us + day * DAY_US), "amount": amount}
            for day, amount in enumerate(one.history)
        ],
        "history_days": 0 if series is None else series.history_days,
        "unpriced_requests": one.unpriced_requests,
        "today": {"date": _date(one.first_day_us), "so_far": one.first_day_so_far},
        "days": []
        if series is None
        else [
            {"date": _date(one.first_day_us + day * DAY_US), **_expected(metric, expected)}
            for day, expected in enumerate(series.days)
        ],
        "total": None if series is None else _expected(metric, series.totals[-1]),
        "month": None if one.month is None else _month(metric, one.month),
        "way": None if series is None else series.way,
        "back_test": None if series is None else _back_test(series.back_test),
        "caveats": [_nothing_to_go_by(one)] if series is None else _caveats(one, metric, series.caveats),
    }


def _nothing_to_go_by(one: UsageForecast) -> str:
    if one.first_day_so_far:
        return "only today was something used: a forecast goes by whole days (UTC)"
    return "nothing was used yet: there is nothing to go by"


def _caveats(one: UsageForecast, metric: ForecastMetric, said: tuple[str, ...]) -> list[str]:
    caveats = list(said)
    if metric is ForecastMetric.COST and one.unpriced_requests:
        caveats.append(f"{one.unpriced_requests} requests without a known price are not in these amounts")
    return caveats


def _expected(metric: ForecastMetric, expected: Expected) -> dict[str, Any]:
    """Whole units; bounds null: nothing is known of errors."""
    point = round(expected.point)
    found: dict[str, Any] = {"point": point}
    for share, interval in ((80, expected.interval_80), (95, expected.interval_95)):
        found[f"low_{share}"] = None if interval is None else round(interval.low)
        found[f"high_{share}"] = None if interval is None else round(interval.high)
    if metric is ForecastMetric.COST:
        found["point_usd"] = format_usd(point)
    return found


def _month(metric: ForecastMetric, month: MonthEnd) -> dict[str, Any]:
    return {
        "month": _date(month.period.start_us)[:7],
        "so_far": month.so_far,
        **_expected(metric, month.whole),
    }


def _back_test(test: BackTest) -> dict[str, Any]:
    return {
        "origins": test.origins,
        "days_ahead": test.days,
        "total_error": test.total_error,
        "daily_error": test.daily_error,
        "coverage_80": test.coverage_80,
        "coverage_95": test.coverage_95,
    }


def anomalies_object(found: Anomalies, wish: AnomalyWish) -> dict[str, Any]:
    """Windows, the newest first."""
    return {
        "from": iso(found.from_us),
        "to": iso(found.to_us),
        "by": None if wish.group_by is None else wish.group_by.value,
        "history_hours": found.history_hours,
        "anomalies": [_anomaly(one, wish) for one in found.anomalies],
    }


def _anomaly(one: Anomaly, wish: AnomalyWish) -> dict[str, Any]:
    window = one.found.window
    return {
        "metric": one.metric.value,
        "unit": UNITS[one.metric],
        "group": _group(wish.group_by, one.group),
        "start": iso(one.start_us),
        "end": iso(one.end_us),
        "open": one.open,
        "kind": window.kind.value,
        "severity": window.severity.value,
        "score": round(window.score, 1),
        "observed": _rounded(one.metric, window.observed),
        "expected": _rounded(one.metric, window.expected),
        "strays": _rounded(one.metric, window.strays),
        "change": round(one.found.change),
        "requests": one.found.requests,
        "text": sentence(one.metric, window),
        "contributors": None
        if one.contributors is None
        else [
            {
                "dimension": by.dimension.value,
                "value": by.value,
                "amount": by.amount,
                "before": by.before,
                "share": round(by.share, 4),
            }
            for by in one.contributors
        ],
    }


def _rounded(metric: Metric, value: float) -> float:
    """Shares as they are; all else in whole units."""
    return round(value, 6) if metric is Metric.ERRORS else round(value)


def _group(dimension: UsageDimension | None, values: tuple[str, ...]) -> dict[str, str]:
    return {} if dimension is None else {dimension.value: values[0]}


def _date(us: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=us):%Y-%m-%d}"
