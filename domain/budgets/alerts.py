"""When a budget's spending passes a threshold, and what is told then; once per threshold and period."""

from typing import NamedTuple

from domain.budgets.budget import BASIS_POINTS, Account
from domain.money import format_usd, usd_float


class Alert(NamedTuple):
    """`key` is the same for the same fact, whichever instance notices it."""

    key: str
    tenant_id: str
    at_basis_points: int
    fields: dict[str, object]
    """The published event `cost.budget_alert` less its `timestamp`; amounts are dollars."""


def alerts_due(account: Account, committed_nano_usd: int, now_us: int) -> list[Alert]:
    """Alerts of all thresholds that are reached at the moment. Whoever writes them leaves out known keys.

    A sliding window tells each threshold once per length of the window.
    """
    limit = account.limit_nano_usd
    round_number = now_us // account.rolling_us if account.rolling_us else 0
    return [
        Alert(
            f"budget:{account.account_id}:{round_number}:{threshold}",
            account.tenant_id,
            threshold,
            {
                "tenant_id": account.tenant_id,
                "current_spend": usd_float(committed_nano_usd),
                "budget_limit": usd_float(limit),
                "utilization_percentage": utilization_percent(committed_nano_usd, limit),
                "period": account.period,
                "budget_id": account.budget_id,
                "budget_name": account.name,
                "subject": account.subject,
                "threshold": threshold / BASIS_POINTS,
                "hard": account.hard,
                "current_spend_usd": format_usd(committed_nano_usd),
                "budget_limit_usd": format_usd(limit),
            },
        )
        for threshold in account.alert_at
        if reached(committed_nano_usd, limit, threshold)
    ]


def reached(committed_nano_usd: int, limit_nano_usd: int, basis_points: int) -> bool:
    """Whether spending is at that share of the limit, or beyond. Of a limit of 0, any spending is."""
    if limit_nano_usd == 0:
        return committed_nano_usd > 0
    return committed_nano_usd * BASIS_POINTS >= limit_nano_usd * basis_points


def utilization_percent(committed_nano_usd: int, limit_nano_usd: int) -> float:
    """Percent of the limit, to two digits, for reading; of a limit of 0, 100 as soon as anything is spent."""
    if limit_nano_usd == 0:
        return 100.0 if committed_nano_usd > 0 else 0.0
    return round(committed_nano_usd * 100 / limit_nano_usd, 2)
