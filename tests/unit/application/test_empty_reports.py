"""Reports of a time in which nobody asked anything: what is left empty is not asked for."""

from typing import Any

from adapters.memory.system import SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from application.ports.usage_query import UsageDimension, UsageFilter, UsageTotals
from application.use_cases.report_costs import ReportCosts
from application.use_cases.report_patterns import LEADERS, ReportPatterns
from tests.unit.application.test_report_usage import principal

NOBODYS = UsageFilter(only=((UsageDimension.TEAM, ("none-such",)),))


class CountingUsage(InMemoryUsageLog):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.questions = 0

    async def totals(self, *of: Any, **how: Any) -> list[UsageTotals]:
        self.questions += 1
        return await super().totals(*of, **how)


async def test_patterns_of_nobody_have_no_leaders_and_ask_for_the_two_periods_only() -> None:
    usage = CountingUsage()

    found = await ReportPatterns(usage, SteppingClock())(principal("viewer"), NOBODYS)

    assert [(leaders.shares, leaders.names) for leaders in found.leaders.values()] == [((), 0)] * len(LEADERS)
    assert found.rhythm.burstiness.peak is None
    assert usage.questions == 2


async def test_costs_of_nobody_have_no_groups_and_ask_for_the_whole_only() -> None:
    usage = CountingUsage()
    report = ReportCosts(usage, SteppingClock())

    found = await report(principal("viewer"), NOBODYS, bucket="day", group_by=(UsageDimension.MODEL,))

    assert (found.analytics, found.groups, found.totals.requests) == ([], [], 0)
    assert found.savings.total_nano_usd == 0
    assert usage.questions == 1
