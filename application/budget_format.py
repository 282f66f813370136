"""Stored budgets as text and back: one JSON object, the same for the same budget."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from application.ports.budgets import StoredBudget
from domain.budgets.budget import Budget, Switch, check_budget
from domain.budgets.period import make_period
from domain.budgets.scope import make_scope
from domain.errors import InvalidRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def budget_body(budget: Budget) -> str:
    """Everything but id, owner and name, which stand beside it."""
    switch = budget.switch
    body = {
        "scope": {dimension.value: value for dimension, value in budget.scope.parts},
        "period": budget.period.unit.value,
        "rolling": budget.period.rolling,
        "time_zone": budget.period.time_zone,
        "limit_nano_usd": budget.limit_nano_usd,
        "hard": budget.hard,
        "alert_at": list(budget.alert_at),
        "switch": None if switch is None else [switch.at_basis_points, switch.route],
        "contact": budget.contact,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def read_budget(stored: StoredBudget) -> Budget:
    """Raises InvalidRequest for a text that is no budget, such as one of a newer version."""
    try:
        body: dict[str, Any] = json.loads(stored.body)
        switch = body["switch"]
        budget = Budget(
            budget_id=stored.budget_id,
            owner=stored.tenant_id,
            name=stored.name,
            scope=make_scope(body["scope"]),
            period=make_period(body["period"], rolling=body["rolling"], time_zone=body["time_zone"]),
            limit_nano_usd=int(body["limit_nano_usd"]),
            hard=bool(body["hard"]),
            alert_at=tuple(int(share) for share in body["alert_at"]),
            switch=None if switch is None else Switch(int(switch[0]), str(switch[1])),
            contact=str(body["contact"]),
        )
        check_budget(budget)
    except (InvalidRequest, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise InvalidRequest(f"budget {stored.budget_id} cannot be read: {error!r}", param="body") from None
    return budget


def to_us(moment: datetime) -> int:
    """Epoch microseconds of an aware time."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(moment_us: int) -> datetime:
    """Aware UTC time of epoch microseconds."""
    return _EPOCH + timedelta(microseconds=moment_us)
