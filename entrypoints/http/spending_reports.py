"""`/api/v1/analytics/savings`, `/patterns` and `/report`: what money did, at a glance."""

from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from application.ports.system import Clock
from application.ports.usage_query import TIME_DIMENSIONS
from application.use_cases.report_patterns import LEADERS, ReportPatterns
from application.use_cases.report_period import ReportPeriod
from application.use_cases.report_savings import ReportSavings
from domain.analytics.report_period import Every, last_period, period_named
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Door, guarded_routes, only_parameters
from entrypoints.http.report_objects import patterns_object, report_object, savings_report_object
from entrypoints.http.usage_questions import read_dimensions, read_filter, read_whole, refuse_unknown

TOP_DEFAULT: Final = 10
OF_MAX: Final = 8
"""Dimensions one answer may have leaders of."""


def spending_report_routes(
    door: Door, savings: ReportSavings, patterns: ReportPatterns, period: ReportPeriod, clock: Clock
) -> list[Route]:
    """The routes; everyone sees what is of the own tenant."""

    async def show_savings(request: Request, by: Principal) -> Any:
        query = request.query_params
        refuse_unknown(query, ("baseline",))
        return savings_report_object(
            await savings(by, read_filter(query), baseline=query.get("baseline") or None)
        )

    async def show_patterns(request: Request, by: Principal) -> Any:
        query = request.query_params
        refuse_unknown(query, ("of", "top"))
        of = read_dimensions(query, "of") if "of" in query else LEADERS
        if len(set(of)) != len(of) or len(of) > OF_MAX or not TIME_DIMENSIONS.isdisjoint(of):
            raise InvalidRequest(f"of names a dimension twice, a time, or more than {OF_MAX}", param="of")
        top = read_whole(query, "top", TOP_DEFAULT)
        return patterns_object(await patterns(by, read_filter(query), top=top, of=of))

    async def show_report(request: Request, by: Principal) -> Any:
        only_parameters(request, "period", "tenant_id", "top")
        query = request.query_params
        text = query.get("period")
        wanted = last_period(Every.MONTH, clock.utc_now()) if text is None else period_named(text)
        if wanted is None:
            raise InvalidRequest("period must be a month as 2030-01, or a week as 2030-W05", param="period")
        top = read_whole(query, "top", TOP_DEFAULT)
        return report_object(await period(by, wanted, tenant_id=query.get("tenant_id"), top=top))

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/analytics/savings"): show_savings,
            ("GET", "/api/v1/analytics/patterns"): show_patterns,
            ("GET", "/api/v1/analytics/report"): show_report,
        },
    )
