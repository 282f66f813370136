"""`GET /api/v1/key`: what the presented key may do, and what it has used."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.limit_book import LimitBook
from application.use_cases.describe_key import DescribeOwnKey, PeriodUsage
from application.use_cases.report_budgets import ReportBudgets, Standing
from domain.money import usd_float
from domain.tenancy.principal import Principal
from entrypoints.budget_objects import account_object
from entrypoints.http.guard import Door, guarded_routes
from entrypoints.limit_objects import standing_object

NOT_LIMITED = "no budget is set for this key"
OF_BUDGET = "of the budget that leaves this key least"


def own_key_routes(
    door: Door, describe: DescribeOwnKey, budgets: ReportBudgets, limits: LimitBook
) -> list[Route]:
    """The route; any valid key may ask about itself."""

    async def show(request: Request, by: Principal) -> Any:
        key = await describe(by)
        tightest = await budgets.tightest(by)
        account = None if tightest is None else account_object(tightest)
        return {
            "data": {
                "key_id": by.key_id,
                "label": by.key_name,
                "tenant_id": by.tenant_id,
                "role": by.role,
                "team": by.team,
                "project": by.project,
                "cost_center": by.cost_center,
                "permissions": sorted(by.permissions),
                "allowed_models": _listed(by.allowed_models),
                "networks": list(by.networks),
                "assertable": _listed(by.assertable),
                "integrations": _listed(by.integrations),
                "managed_budgets": _listed(by.managed_budgets),
                "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
                "limit": None if account is None else float(account["limit_usd"]),
                "limit_remaining": None if account is None else float(account["remaining_usd"]),
                "limit_reset": None if account is None else account["resets_at"],
                "budget": None if tightest is None else _budget(tightest),
                "rate_limit": None,
                "rate_limits": [standing_object(each) for each in limits.of_key(by)],
                "limits_note": NOT_LIMITED if account is None else OF_BUDGET,
                "usage_daily": _period(key.day),
                "usage_monthly": _period(key.month),
            }
        }

    return guarded_routes(door, {("GET", "/api/v1/key"): show})


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _budget(standing: Standing) -> dict[str, Any]:
    account = standing.account
    return {
        "name": account.name,
        "hard": account.hard,
        "period": account.period,
        "rolling": account.rolling_us > 0,
        **account_object(standing),
    }


def _period(period: PeriodUsage | None) -> dict[str, Any] | None:
    if period is None:
        return None
    totals = period.totals
    return {
        "since": period.since.isoformat(),
        "resets_at": period.resets_at.isoformat(),
        "requests": totals.requests,
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "cost_usd": usd_float(totals.cost_nano_usd),
        "unpriced_requests": totals.unpriced_requests,
    }
