"""Savings against a baseline, patterns and periods as callers of the API see them."""

from typing import Any

from application.ports.usage_query import UsageDimension
from application.use_cases.report_patterns import Patterns
from application.use_cases.report_period import PeriodReport
from application.use_cases.report_savings import SavingsReport
from domain.analytics.baseline import BaselineSavings
from domain.analytics.estimate import Estimate
from domain.analytics.patterns import Leaders, Use
from domain.money import format_usd
from entrypoints.http.usage import totals_object
from entrypoints.http.usage_questions import iso


def estimate_object(estimate: Estimate) -> dict[str, Any]:
    """Exact nano-dollars, and decimal text to read."""
    return {
        "low_nano_usd": estimate.low,
        "expected_nano_usd": estimate.expected,
        "high_nano_usd": estimate.high,
        "low_usd": format_usd(estimate.low),
        "expected_usd": format_usd(estimate.expected),
        "high_usd": format_usd(estimate.high),
    }


def _money(amount: int) -> dict[str, Any]:
    return {"nano_usd": amount, "usd": format_usd(amount)}


def savings_report_object(report: SavingsReport) -> dict[str, Any]:
    """The whole, its parts, each route's, and what is in no sum."""
    savings = report.savings
    return {
        "from": iso(report.from_us),
        "to": iso(report.to_us),
        "baseline": report.baseline,
        "token_uncertainty": report.uncertainty,
        **_line(savings.total),
        "routes": [
            {"route": route, "baseline": baseline, **_line(line)}
            for route, (baseline, line) in sorted(
                savings.routes.items(), key=lambda item: (-item[1][1].total.expected, item[0])
            )
        ],
        "not_counted": {
            why.value: {"requests": left.requests, "cost": _money(left.cost_nano_usd)}
            for why, left in sorted(savings.not_counted.items(), key=lambda item: item[0].value)
        },
        "sampled_requests": report.sampled,
        "sample_complete": report.sample_complete,
        "complete": report.complete,
    }


def _line(line: BaselineSavings) -> dict[str, Any]:
    return {
        "requests": line.requests,
        "spent": _money(line.spent_nano_usd),
        "on_baseline": estimate_object(line.baseline),
        "saved": estimate_object(line.total),
        "share": line.share,
        "parts": {
            "routing": estimate_object(line.routing),
            "caching": _money(line.caching_nano_usd),
            "coalescing": _money(line.coalescing_nano_usd),
            "prompt_caching": _money(line.prompt_caching_nano_usd),
        },
        "beside": {"requests": line.beside_requests, "cost": _money(line.beside_nano_usd)},
        "hits_at_own_price": line.hits_at_own_price,
        "requests_behind_token_ratios": line.observed_requests,
    }


def patterns_object(patterns: Patterns) -> dict[str, Any]:
    """Hours and weekdays are UTC; shares and trends are of 1."""
    rhythm, bursts = patterns.rhythm, patterns.rhythm.burstiness
    return {
        "from": iso(patterns.from_us),
        "to": iso(patterns.to_us),
        "total": _use(patterns.total),
        "before": _use(patterns.before),
        "trend": patterns.trend,
        "by_hour": [{"hour": hour, **_use(use)} for hour, use in enumerate(rhythm.by_hour)],
        "by_weekday": [
            {"weekday": name, **_use(use)} for name, use in zip(WEEKDAYS, rhythm.by_weekday, strict=True)
        ],
        "burstiness": bursts._asdict(),
        "leaders": {of.value: _leaders(leaders) for of, leaders in patterns.leaders.items()},
    }


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _use(use: Use) -> dict[str, Any]:
    return {
        "requests": use.requests,
        "cost_nano_usd": use.cost_nano_usd,
        "cost_usd": format_usd(use.cost_nano_usd),
    }


def _leaders(leaders: Leaders) -> dict[str, Any]:
    return {
        "names": leaders.names,
        "concentration": leaders.concentration,
        "enough_for_80": leaders.enough_for_80,
        "top": [
            {
                "name": one.name,
                **_use(one.use),
                "request_share": one.request_share,
                "cost_share": one.cost_share,
                "before": _use(one.before),
                "trend": one.trend,
            }
            for one in leaders.shares
        ],
    }


def report_object(report: PeriodReport) -> dict[str, Any]:
    """As `interchange report --json` prints it."""
    return {
        "month": report.label,
        "total": totals_object(report.total, ()),
        **{
            f"by_{of.value}": [totals_object(row, (of,)) for row in rows]
            for of, rows in report.sections.items()
        },
        "by_day": [totals_object(row, (UsageDimension.DAY,)) for row in report.days],
        "savings": savings_report_object(report.savings),
    }
