"""Accounts as rows and back."""

import json
from typing import Any, Final

from sqlalchemy import Row

from adapters.sql.ledger_statements import DECLARED_COLUMNS
from domain.budgets.budget import Account, Switch

INT_MAX: Final = 2**63 - 1


def account_from(row: Row[Any]) -> Account | None:
    """None: nobody opened it yet; it only has charges."""
    if not row.period:
        return None
    return Account(
        row.account_id,
        row.budget_id,
        row.tenant_id,
        row.name,
        row.subject,
        row.limit_nano_usd,
        bool(row.hard),
        row.period,
        row.period_start_us,
        row.period_end_us,
        row.rolling_us,
        tuple(json.loads(row.alert_at)),
        row.contact,
        None if row.switch_at is None else Switch(row.switch_at, row.switch_route),
    )


def declaration(account: Account) -> dict[str, Any]:
    """The columns an account was declared with, with text that every column takes."""
    switch = account.switch
    values = (
        _clean(account.budget_id),
        _clean(account.tenant_id),
        _clean(account.name),
        _clean(account.subject),
        account.limit_nano_usd,
        account.hard,
        account.period,
        account.period_start_us,
        account.period_end_us,
        account.rolling_us,
        json.dumps(account.alert_at),
        _clean(account.contact),
        None if switch is None else switch.at_basis_points,
        None if switch is None else _clean(switch.route),
    )
    return dict(zip(DECLARED_COLUMNS, values, strict=True))


def unopened(account_id: str) -> dict[str, Any]:
    """A new row of an account of which only the id is known."""
    return {
        "account_id": account_id,
        **dict.fromkeys(("budget_id", "tenant_id", "name", "subject", "period", "contact", "told"), ""),
        **dict.fromkeys(("limit_nano_usd", "period_start_us", "rolling_us"), 0),
        **dict.fromkeys(("spent_nano_usd", "unresolved_nano_usd", "leased_nano_usd"), 0),
        **dict.fromkeys(("wanted_until_us", "updated_at_us"), 0),
        **dict.fromkeys(("period_end_us", "switch_at", "switch_route", "first_slot_us")),
        "hard": False,
        "alert_at": "[]",
    }


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
