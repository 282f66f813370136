"""Budgets as JSON, the same from the API and from the command line; and the words they are read from.

Amounts are dollars as decimal text, exact; `utilization_percent` and shares are for reading.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from application.ports.ledger import UnresolvedEntry
from application.use_cases.manage_budgets import BudgetRecord
from application.use_cases.report_budgets import Concerned, Standing
from domain.budgets.alerts import utilization_percent
from domain.budgets.budget import BASIS_POINTS
from domain.budgets.terms import BudgetTerms
from domain.errors import InvalidRequest
from domain.money import InvalidAmount, format_usd, parse_usd

_US_PER_MINUTE: Final = 60_000_000
_YEAR_10000_US: Final = 253_402_300_800_000_000


class OnThresholdBody(msgspec.Struct, forbid_unknown_fields=True):
    """From this share of the limit on, requests are planned on another route."""

    at: float
    route: str


class BudgetBody(msgspec.Struct, forbid_unknown_fields=True):
    """A budget as it is asked for: the file's keys."""

    name: str
    scope: dict[str, str]
    period: str
    limit_usd: str | int | float
    rolling: bool = False
    time_zone: str = "UTC"
    hard: bool = False
    alert_at: list[float] | None = None
    on_threshold: OnThresholdBody | None = None
    contact: str | None = None


class KeyBudgetBody(msgspec.Struct, forbid_unknown_fields=True):
    """The budget of a key that is about to be made. It refuses, unless told otherwise."""

    limit_usd: str | int | float
    period: str = "month"
    rolling: bool = False
    time_zone: str = "UTC"
    hard: bool = True
    alert_at: list[float] | None = None
    on_threshold: OnThresholdBody | None = None
    contact: str | None = None
    name: str = ""


def terms_of(body: BudgetBody | KeyBudgetBody) -> BudgetTerms:
    """The same in the domain's words."""
    switch = body.on_threshold
    return BudgetTerms(
        name=body.name,
        scope=body.scope if isinstance(body, BudgetBody) else {},
        period=body.period,
        limit_usd=body.limit_usd,
        rolling=body.rolling,
        time_zone=body.time_zone,
        hard=body.hard,
        alert_at=None if body.alert_at is None else tuple(body.alert_at),
        switch_at=0.0 if switch is None else switch.at,
        switch_route="" if switch is None else switch.route,
        contact=body.contact or "",
    )


def budget_object(record: BudgetRecord) -> dict[str, Any]:
    """A budget and whose it is."""
    budget = record.budget
    switch = budget.switch
    return {
        "budget_id": budget.budget_id,
        "name": budget.name,
        "tenant_id": budget.owner,
        "owner": "file" if budget.declared else "api",
        "declared_in": record.declared_in,
        "scope": {dimension.value: value for dimension, value in budget.scope.parts},
        "period": budget.period.unit.value,
        "rolling": budget.period.rolling,
        "time_zone": budget.period.time_zone,
        "limit_usd": format_usd(budget.limit_nano_usd),
        "hard": budget.hard,
        "alert_at": [share / BASIS_POINTS for share in budget.alert_at],
        "on_threshold": None
        if switch is None
        else {"at": switch.at_basis_points / BASIS_POINTS, "route": switch.route},
        "contact": budget.contact or None,
        "created_at": None if record.created_at is None else record.created_at.isoformat(),
        "updated_at": None if record.updated_at is None else record.updated_at.isoformat(),
    }


def body_of(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What a budget object says that can be asked for again."""
    return {name: shown[name] for name in BudgetBody.__struct_fields__}


def account_object(standing: Standing) -> dict[str, Any]:
    """How one subject of a budget stands in the present period."""
    account, state, told = standing.account, standing.state, standing.forecast
    return {
        "account_id": account.account_id,
        "subject": account.subject,
        "limit_usd": format_usd(state.limit_nano_usd),
        "spent_usd": format_usd(state.spent_nano_usd),
        "unresolved_usd": format_usd(state.unresolved_nano_usd),
        "held_usd": format_usd(state.leased_nano_usd),
        "remaining_usd": format_usd(standing.remaining_nano_usd),
        "utilization_percent": utilization_percent(state.committed_nano_usd, state.limit_nano_usd),
        "period_start": time_text(account.period_start_us) if account.period_start_us else None,
        "resets_at": time_text(account.period_end_us),
        "spend_rate_usd_per_day": format_usd(told.rate_nano_usd_per_day),
        "rate_observed_minutes": told.observed_us // _US_PER_MINUTE,
        "projected_usd": None if told.projected_nano_usd is None else format_usd(told.projected_nano_usd),
        "exhausted_at": time_text(told.exhausted_at_us),
    }


def concerned_object(concerned: Concerned) -> dict[str, Any]:
    """A budget that somebody concerns, and what is left of it for them."""
    return {
        "budget": budget_object(concerned.record),
        "account": account_object(concerned.standing),
    }


def unresolved_object(entry: UnresolvedEntry) -> dict[str, Any]:
    """A charge whose bill nobody knows."""
    return {
        "attempt_id": entry.attempt_id,
        "account_id": entry.account_id,
        "budget_id": entry.budget_id or None,
        "tenant_id": entry.tenant_id,
        "held_usd": format_usd(entry.held_nano_usd),
        "since": time_text(entry.since_us),
    }


def bill(cost_usd: str | int | float | None) -> int | None:
    """A bill in nano-dollars; None: not known. Raises InvalidRequest."""
    if cost_usd is None:
        return None
    try:
        return parse_usd(cost_usd)
    except InvalidAmount as error:
        raise InvalidRequest(f"cost_usd is {error}", param="cost_usd") from None


def time_text(moment_us: int | None) -> str | None:
    """RFC 3339, UTC, whole seconds; None where it lies beyond what a calendar can say."""
    if moment_us is None or not 0 <= moment_us < _YEAR_10000_US:
        return None
    return datetime.fromtimestamp(moment_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
