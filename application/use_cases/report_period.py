"""One week or month at a glance: what `interchange report` shows, and what scheduled reports say."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from application.ports.usage_query import UsageDimension, UsageFilter, UsageOrder, UsageQuery, UsageTotals
from application.report_times import us
from application.use_cases.report_savings import ReportSavings, SavingsReport
from application.use_cases.report_usage import within_border
from domain.analytics.report_period import Period
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal

SECTIONS: Final = (
    UsageDimension.TEAM,
    UsageDimension.PROJECT,
    UsageDimension.COST_CENTER,
    UsageDimension.MODEL,
    UsageDimension.PROVIDER,
    UsageDimension.KEY,
)
TOP_MAX: Final = 1000
DAYS_MAX: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodReport:
    """`sections` have the dearest first, `days` the order of time."""

    label: str
    start: datetime
    end: datetime
    total: UsageTotals
    sections: dict[UsageDimension, list[UsageTotals]]
    days: list[UsageTotals]
    savings: SavingsReport


class ReportPeriod:
    """Never across the border of a tenant unless the caller runs the installation."""

    def __init__(self, usage: UsageQuery, savings: ReportSavings) -> None:
        self._usage = usage
        self._savings = savings

    async def __call__(
        self, by: Principal, period: Period, *, tenant_id: str | None = None, top: int = 10
    ) -> PeriodReport:
        """Raises Forbidden, InvalidRequest, StoreUnavailable."""
        if not 1 <= top <= TOP_MAX:
            raise InvalidRequest(f"top must be 1-{TOP_MAX}", param="top")
        asked = UsageFilter(tenant_id=tenant_id, from_us=us(period.start), to_us=us(period.end))
        where = within_border(by, asked)
        (total,) = await self._usage.totals(where)
        sections: dict[UsageDimension, list[UsageTotals]] = {one: [] for one in SECTIONS}
        days: list[UsageTotals] = []
        if total.requests:  # otherwise there is nothing to group
            for one in SECTIONS:
                sections[one] = await self._usage.totals(where, (one,), limit=top)
            by_day = (UsageDimension.DAY,)
            days = await self._usage.totals(where, by_day, limit=DAYS_MAX, order=UsageOrder.KEY)
        return PeriodReport(
            label=period.label,
            start=period.start,
            end=period.end,
            total=total,
            sections=sections,
            days=days,
            savings=await self._savings(by, where),
        )
