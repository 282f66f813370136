"""What looks at usage by itself: advice once a day, reports once for a period, whoever of many does it."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from adapters.memory.optimizations import InMemoryOptimizations
from adapters.memory.period_marks import InMemoryPeriodMarks
from adapters.memory.system import SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from adapters.memory.usage_rows import InMemoryUsageRows
from application.report_times import us
from application.runtime import Runtime
from application.usage_sample import SampleUsage
from application.use_cases.gather_facts import GatherFacts
from application.use_cases.keep_recommendations import KeepRecommendations
from application.use_cases.manage_recommendations import FindRecommendations
from application.use_cases.report_period import PeriodReport, ReportPeriod
from application.use_cases.report_savings import DeclaredBaseline, ReportSavings
from application.use_cases.tell_reports import SETTLED_AFTER, ReportOrder, TellReports
from contracts.ports.usage import usage_event
from domain.analytics.facts import Wishes
from domain.analytics.recommendation import Kind
from domain.analytics.report_period import Every
from domain.resilience.breaker import BreakerPolicy
from domain.routing.health import HealthPolicy
from domain.routing.live import LiveState
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget
from entrypoints.analysing import report_reader
from tests.unit.analytics.test_recommendations import LARGE, SMALL

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class World:
    """Tenant `acme` used the dear one of a route's two models yesterday."""

    def __init__(self) -> None:
        self.clock = SteppingClock(utc=NOW)
        self.log, self.marks, self.store = InMemoryUsageLog(), InMemoryPeriodMarks(), InMemoryOptimizations()
        rows = InMemoryUsageRows(self.log)
        route = Route(name="assistant", targets=(RouteTarget(target=LARGE), RouteTarget(target=SMALL)))
        table = RoutingTable.compile((LARGE, SMALL), {"assistant": route})
        live = LiveState(table, breaker_policy=BreakerPolicy(), health_policy=HealthPolicy())
        self.runtime = Runtime(table, live)
        sample = SampleUsage(rows)
        gather = GatherFacts(self.log, sample, self.runtime, self.clock, Wishes)
        find = FindRecommendations(gather, self.store, self.clock)
        self.enabled = True
        self.keep = KeepRecommendations(find, rows, self.marks, self.clock, lambda: self.enabled)
        declared = DeclaredBaseline(everywhere="acme/large")
        savings = ReportSavings(self.log, sample, self.runtime, self.clock, lambda: declared)
        self.period = ReportPeriod(self.log, savings)
        for number in range(100):
            self.log.record(
                usage_event(
                    number,
                    route="assistant",
                    model="large",
                    started_at_us=us(NOW) - 86_400_000_000 + number,
                    input_tokens=1000,
                    output_tokens=500,
                    cost_nano_usd=9_000_000,
                )
            )

    def reports(self, *orders: ReportOrder) -> TellReports:
        def shown(report: PeriodReport) -> dict[str, Any]:
            return {"month": report.label, "requests": report.total.requests}

        return TellReports(
            *(self.period, self.marks, self.clock, lambda: orders, report_reader),
            shown=shown,
            text=lambda found: f"{found['month']}: {found['requests']} requests",
        )


async def test_every_tenant_is_looked_at_once_a_day() -> None:
    world = World()

    assert await world.keep.look() == 1
    assert await world.keep.look() == 0
    assert Kind.MOVE in {one.kind for one in await world.store.of("acme")}
    world.clock.advance(86_400)
    assert await world.keep.look() == 1


async def test_nobody_is_looked_at_where_it_is_switched_off() -> None:
    world = World()
    world.enabled = False

    assert await world.keep.look() == 0
    assert await world.store.of("acme") == []


async def test_a_report_is_told_once_for_its_period_by_many() -> None:
    world = World()
    orders = (
        ReportOrder(name="weekly", tenant_id="acme", every=Every.WEEK),
        ReportOrder(name="words", tenant_id="acme", every=Every.WEEK, as_text=True),
    )

    told = await asyncio.gather(*(world.reports(*orders).look() for _ in range(4)))

    assert sum(told) == 2
    said = {found["name"]: found for found in (json.loads(event.payload) for event in world.marks.told)}
    weekly, words = said["weekly"], said["words"]
    assert (weekly["period"], weekly["report"]["requests"], weekly["text"]) == ("2026-W09", 100, None)
    assert words["text"] == "2026-W09: 100 requests"
    world.clock.advance(7 * 86_400)
    assert await world.reports(*orders).look() == 2


async def test_a_report_shows_one_tenant_alone() -> None:
    world = World()
    await world.reports(ReportOrder(name="w", tenant_id="other", every=Every.WEEK)).look()

    (event,) = world.marks.told
    assert event.tenant_id == "other"
    assert json.loads(event.payload)["report"]["requests"] == 0


async def test_a_report_waits_for_the_rows_of_its_last_moments() -> None:
    world = World()
    order = ReportOrder(name="w", tenant_id="acme", every=Every.WEEK)
    assert await world.reports(order).look() == 1
    world.clock.advance(6.5 * 86_400 + 1)  # a second into the next Monday
    assert await world.reports(order).look() == 0

    ended_late = us(world.clock.utc_now()) - 2_000_000  # begun in the old week, written in the new one
    world.log.record(usage_event(100, route="assistant", model="large", started_at_us=ended_late))
    world.clock.advance(SETTLED_AFTER.total_seconds())

    assert await world.reports(order).look() == 1
    told = json.loads(world.marks.told[-1].payload)
    assert (told["period"], told["report"]["requests"]) == ("2026-W10", 1)
