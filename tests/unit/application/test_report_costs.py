"""Costs over time: the published entity, from whatever sums there are."""

from datetime import datetime, timedelta

import pytest

from adapters.memory.system import START, SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from application.ports.usage_query import UsageDimension, UsageFilter
from application.use_cases.report_costs import ReportCosts
from contracts.ports.usage import usage_event
from domain.analytics.rollup import DAY_US, HOUR_US
from domain.caching.effect import HitKind
from domain.errors import Forbidden, InvalidRequest
from domain.tenancy.role import local_operator
from tests.unit.application.test_report_usage import principal

EPOCH = datetime(1970, 1, 1, tzinfo=START.tzinfo)
NOW_US = (START - EPOCH) // timedelta(microseconds=1)
TODAY_US = NOW_US // DAY_US * DAY_US


@pytest.fixture
def costs() -> ReportCosts:
    log = InMemoryUsageLog()
    for number, (tenant, model, ago_us, cost) in enumerate(
        (
            ("acme", "small", 0, 5),
            ("acme", "large", 0, 7),
            ("acme", "small", DAY_US, None),
            ("other", "small", 0, 11),
            ("acme", "small", 40 * DAY_US, 13),
        )
    ):
        log.record(
            usage_event(
                number,
                tenant_id=tenant,
                model=model,
                cost_nano_usd=cost,
                started_at_us=NOW_US - ago_us,
                outcome="error" if model == "large" else "ok",
                duration_us=3000 if model == "large" else 1000,
            )
        )
    return ReportCosts(log, SteppingClock())


async def test_savings_are_those_of_the_time_asked_for() -> None:
    log = InMemoryUsageLog()
    for number, (ago_us, saved) in enumerate(((0, 30), (0, 12), (40 * DAY_US, 1000))):
        log.record(
            usage_event(
                number,
                started_at_us=NOW_US - ago_us,
                cache="hit-semantic" if saved == 12 else "hit-l1",
                saved_nano_usd=saved,
            )
        )
    report = ReportCosts(log, SteppingClock())

    found = await report(principal("viewer"), UsageFilter(), bucket="day")

    assert (found.savings.total_nano_usd, found.savings.hits) == (42, 2)
    assert found.savings.by_kind[HitKind.SEMANTIC].saved_nano_usd == 12
    assert (found.totals.saved_nano_usd, found.totals.cache_hits) == (42, 2)


async def test_a_period_of_an_integration_adds_its_models_up(costs: ReportCosts) -> None:
    found = await costs(principal("viewer"), UsageFilter(), bucket="day")

    yesterday, today = found.analytics
    assert (today.tenant_id, today.integration_id) == ("acme", "acme")
    assert (today.start_us, today.end_us) == (TODAY_US, TODAY_US + DAY_US)
    assert (today.total_requests, today.total_cost_nano_usd) == (2, 12)
    assert (today.average_latency_ms, today.success_rate) == (2.0, 0.5)
    assert {name: one.cost_nano_usd for name, one in today.provider_breakdown.items()} == {
        "acme/large": 7,
        "acme/small": 5,
    }
    assert yesterday.provider_breakdown["acme/small"].unpriced_requests == 1
    assert found.totals.requests == 3, "the last 30 days"


async def test_ids_belong_to_tenant_integration_and_period(costs: ReportCosts) -> None:
    days = (await costs(local_operator(), UsageFilter(), bucket="day")).analytics
    again = (await costs(local_operator(), UsageFilter(), bucket="day")).analytics
    hours = (await costs(local_operator(), UsageFilter(), bucket="hour")).analytics

    assert [one.analytics_id for one in days] == [one.analytics_id for one in again]
    assert len({one.analytics_id for one in days + hours}) == len(days) + len(hours)
    assert hours[-1].end_us - hours[-1].start_us == HOUR_US


async def test_groups_are_by_time_first(costs: ReportCosts) -> None:
    where = UsageFilter(from_us=NOW_US - 50 * DAY_US)
    found = await costs(principal("viewer"), where, bucket="month", group_by=(UsageDimension.MODEL,))

    keys = [row.key for row in found.groups]
    assert keys == sorted(keys)
    assert found.totals.requests == sum(row.requests for row in found.groups) == 4


async def test_borders_and_words_are_checked(costs: ReportCosts) -> None:
    with pytest.raises(Forbidden):
        await costs(principal("viewer"), UsageFilter(tenant_id="other"), bucket="day")
    with pytest.raises(InvalidRequest, match="day, hour, month"):
        await costs(principal("viewer"), UsageFilter(), bucket="week")
    for wrong in ((UsageDimension.DAY,), (UsageDimension.TEAM, UsageDimension.TEAM)):
        with pytest.raises(InvalidRequest, match="bucket"):
            await costs(principal("viewer"), UsageFilter(), bucket="day", group_by=wrong)
