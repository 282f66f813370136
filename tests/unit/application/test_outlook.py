"""Forecasts and anomalies of recorded usage, within the borders of tenants."""

from datetime import datetime, timedelta

import pytest

from adapters.memory.system import START, SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from application.ports.usage_query import UsageDimension, UsageFilter
from application.use_cases.find_anomalies import Anomalies, FindAnomalies
from application.use_cases.forecast_usage import ForecastMetric, ForecastUsage
from contracts.ports.usage import usage_event
from domain.analytics.rollup import DAY_US, HOUR_US
from domain.anomalies.metrics import Metric
from domain.errors import Forbidden, InvalidRequest
from domain.tenancy.role import local_operator
from tests.unit.application.test_report_usage import principal

EPOCH = datetime(1970, 1, 1, tzinfo=START.tzinfo)
NOW_US = (START - EPOCH) // timedelta(microseconds=1)
TODAY_US = NOW_US // DAY_US * DAY_US
USD = 10**9


def daily_log(days: int = 40) -> InMemoryUsageLog:
    """Ten dollars a day of one model and one of another, of one tenant; a thousand of another tenant."""
    log = InMemoryUsageLog()
    number = 0
    for day in range(days + 1):
        for tenant, model, cost in (("acme", "large", 10), ("acme", "small", 1), ("other", "large", 1000)):
            number += 1
            log.record(
                usage_event(
                    number,
                    tenant_id=tenant,
                    model=model,
                    cost_nano_usd=cost * USD,
                    started_at_us=TODAY_US - day * DAY_US,
                )
            )
    return log


async def test_a_steady_tenant_goes_on_and_sees_no_other() -> None:
    forecast = ForecastUsage(daily_log(), SteppingClock())
    (found,) = await forecast(principal("viewer"), UsageFilter(), horizon_days=7)
    assert found.history[-3:] == (11 * USD,) * 3
    assert found.first_day_us == TODAY_US
    assert found.first_day_so_far == 0
    assert len(found.history) == 40
    assert found.series is not None
    assert found.series.history_days == 40
    assert [round(day.point) for day in found.series.days] == [11 * USD] * 7
    assert found.month is not None
    days = (found.month.period.end_us - found.month.period.start_us) // DAY_US
    assert round(found.month.whole.point) == days * 11 * USD


async def test_groups_are_the_dearest_first_and_metrics_are_counted() -> None:
    forecast = ForecastUsage(daily_log(), SteppingClock())
    found = await forecast(
        local_operator(), UsageFilter(), metric=ForecastMetric.REQUESTS, group_by=UsageDimension.TENANT
    )
    assert [one.group for one in found] == [("other",), ("acme",)]
    assert [one.series and round(one.series.days[0].point) for one in found] == [1, 2]
    tokens = await forecast(principal("viewer"), UsageFilter(), metric=ForecastMetric.TOKENS)
    assert tokens[0].history[0] > 0


async def test_a_forecast_can_be_made_from_an_earlier_moment() -> None:
    forecast = ForecastUsage(daily_log(), SteppingClock())
    where = UsageFilter(to_us=TODAY_US - 20 * DAY_US, from_us=TODAY_US - 30 * DAY_US + 5)
    (found,) = await forecast(principal("viewer"), where)
    assert len(found.history) == 9
    assert found.first_day_us == TODAY_US - 20 * DAY_US
    assert found.first_day_so_far == 0


async def test_without_usage_there_is_no_forecast() -> None:
    (found,) = await ForecastUsage(InMemoryUsageLog(), SteppingClock())(principal("viewer"), UsageFilter())
    assert found.series is None
    assert found.month is None


async def test_borders_and_words_of_forecasts_are_checked() -> None:
    forecast = ForecastUsage(daily_log(1), SteppingClock())
    with pytest.raises(Forbidden):
        await forecast(principal("viewer"), UsageFilter(tenant_id="other"))
    for horizon in (0, 93):
        with pytest.raises(InvalidRequest, match="horizon_days"):
            await forecast(principal("viewer"), UsageFilter(), horizon_days=horizon)
    with pytest.raises(InvalidRequest, match="is a time"):
        await forecast(principal("viewer"), UsageFilter(), group_by=UsageDimension.DAY)
    with pytest.raises(InvalidRequest, match="sums by the hour"):
        await forecast(principal("viewer"), UsageFilter(only=((UsageDimension.AGENT, ("a",)),)))


HOURS = 21 * 24
SPIKE_HOURS_AGO = 30


def hourly_log() -> InMemoryUsageLog:
    """An hour costs two dollars; four hours of yesterday cost twenty more, of one model. Half as many days of
    another tenant cost nothing strange."""
    log = InMemoryUsageLog()
    hour_us = NOW_US // HOUR_US * HOUR_US
    number = 0
    for ago in range(1, HOURS):
        spike = SPIKE_HOURS_AGO - 4 < ago <= SPIKE_HOURS_AGO
        for tenant, model, cost, count in (
            ("acme", "small", 2, 1),
            ("acme", "large", 20, int(spike)),
            ("other", "small", 2, 1),
        ):
            for _ in range(count):
                number += 1
                log.record(
                    usage_event(
                        number,
                        tenant_id=tenant,
                        model=model,
                        cost_nano_usd=cost * USD,
                        started_at_us=hour_us - ago * HOUR_US,
                    )
                )
    return log


@pytest.fixture(scope="module")
def log() -> InMemoryUsageLog:
    return hourly_log()


async def spending(log: InMemoryUsageLog, where: UsageFilter, tenant: str = "acme") -> Anomalies:
    return await FindAnomalies(log, SteppingClock())(
        principal("viewer", tenant), where, metrics=(Metric.COST,)
    )


async def test_a_dear_hour_is_found_with_who_moved_it(log: InMemoryUsageLog) -> None:
    found = await spending(log, UsageFilter())
    (anomaly,) = found.anomalies
    assert anomaly.start_us == (NOW_US // HOUR_US - SPIKE_HOURS_AGO) * HOUR_US
    assert not anomaly.open
    assert anomaly.found.change > 20 * USD
    assert anomaly.contributors is not None
    named = {(one.dimension, one.value): one for one in anomaly.contributors}
    large = named[UsageDimension.MODEL, "large"]
    assert large.before == 0
    assert large.share == 1
    assert (UsageDimension.MODEL, "small") not in named


async def test_another_tenant_sees_nothing_of_it(log: InMemoryUsageLog) -> None:
    assert (await spending(log, UsageFilter(), "other")).anomalies == ()
    with pytest.raises(Forbidden):
        await spending(log, UsageFilter(tenant_id="acme"), "other")


async def test_windows_are_of_the_time_and_the_groups_asked_for(log: InMemoryUsageLog) -> None:
    before = UsageFilter(to_us=NOW_US - 3 * DAY_US)
    assert (await spending(log, before)).anomalies == ()
    find = FindAnomalies(log, SteppingClock())
    grouped = await find(
        local_operator(), UsageFilter(), metrics=(Metric.COST,), group_by=UsageDimension.TENANT
    )
    assert [one.group for one in grouped.anomalies] == [("acme",)]


async def test_borders_and_words_of_anomalies_are_checked(log: InMemoryUsageLog) -> None:
    with pytest.raises(InvalidRequest, match="92 days"):
        await spending(log, UsageFilter(from_us=NOW_US - 93 * DAY_US))
    with pytest.raises(InvalidRequest, match="sums by the hour"):
        await spending(log, UsageFilter(only=((UsageDimension.USER, ("u",)),)))


async def test_copies_for_shadows_fail_nobody_and_are_paid_for() -> None:
    """A shadow that fails and is slow: callers met neither, and its bill is as much a bill as any."""
    log, number = InMemoryUsageLog(), 0
    to_us = NOW_US // HOUR_US * HOUR_US
    for ago in range(1, 12 * 24):
        for _ in range(22):
            number += 1
            log.record(usage_event(number, tenant_id="acme", cost_nano_usd=USD // 10, cache="off",
                                   started_at_us=to_us - ago * HOUR_US))  # fmt: skip
        for _ in range(22 if ago <= 6 else 0):
            number += 1
            log.record(usage_event(number, tenant_id="acme", cost_nano_usd=USD, cache="shadow",
                                   outcome="error", duration_us=10**9,
                                   started_at_us=to_us - ago * HOUR_US))  # fmt: skip

    async def metrics_found(where: UsageFilter) -> set[Metric]:
        found = await FindAnomalies(log, SteppingClock())(principal("viewer"), where)
        return {one.metric for one in found.anomalies}

    assert await metrics_found(UsageFilter()) == {Metric.COST}
    both = UsageFilter(only=((UsageDimension.CACHE, ("off", "shadow")),))
    assert await metrics_found(both) == set(Metric), "who asks for them sees them"
