"""What somebody is told whom a budget has no room for."""

from datetime import UTC, datetime

import pytest

from domain.budgets.budget import Account, account_of
from domain.budgets.lease import AccountState
from domain.budgets.refusal import exceeded, unbounded
from domain.budgets.scope import Spender
from domain.budgets.terms import make_budget
from domain.money import NANO_PER_USD
from tests.unit.budgets.budget_world import terms

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def account(**more: object) -> Account:
    budget = make_budget(terms(contact="money@acme.example", **more), budget_id="bud_1", owner="acme")
    found = account_of(budget, Spender("acme", agent="planner"), NOW)
    assert found is not None
    return found


def test_a_refusal_says_scope_limit_spent_held_needed_reset_and_contact() -> None:
    mine = account(scope={"tenant": "acme", "agent": "*"})
    state = AccountState(mine.account_id, 10 * NANO_PER_USD, 8 * NANO_PER_USD, NANO_PER_USD, 500_000_000)

    refusal = exceeded(mine, state, 600_000_000, scope="tenant=acme, agent=*")

    assert refusal.details == {
        "budget_id": "bud_1",
        "budget": "daily",
        "scope": "tenant=acme, agent=*",
        "subject": "agent=planner",
        "period": "day",
        "resets_at": "2026-03-02T00:00:00Z",
        "contact": "money@acme.example",
        "limit_usd": "10",
        "spent_usd": "8",
        "held_usd": "1.5",
        "needed_usd": "0.6",
    }
    for told in ("daily", "agent=planner", "$10", "$8", "$1.5", "$0.6", "2026-03-02", "money@acme.example"):
        assert told in refusal.message


def test_figures_of_several_tenants_together_are_told_to_none_of_them() -> None:
    state = AccountState("acc", 777 * NANO_PER_USD, 666 * NANO_PER_USD, 0, 111 * NANO_PER_USD)

    refusal = exceeded(account(), state, 600_000_000, figures=False)

    told = refusal.message + repr(refusal.details)
    assert not any(figure in told for figure in ("777", "666", "111"))
    assert refusal.details["needed_usd"] == "0.6"


def test_what_nothing_bounds_is_refused_with_the_reason() -> None:
    refusal = unbounded(account(), "no price is known; set its prices", scope="tenant=acme")

    assert refusal.details["reason"] == "no price is known; set its prices"
    assert refusal.details["scope"] == "tenant=acme"
    assert "set its prices" in refusal.message


@pytest.mark.parametrize(
    ("more", "spent", "needed", "room"),
    [
        ({}, 8, 11, "never"),  # larger than the limit
        ({}, 8, 2, "any"),  # only what is held is in the way
        ({}, 8, 3, "end"),
        ({"period": "total"}, 8, 3, "never"),
        ({"rolling": True}, 8, 3, "any"),
    ],
)
def test_a_refusal_knows_when_there_may_be_room(
    more: dict[str, object], spent: int, needed: int, room: str
) -> None:
    mine = account(limit_usd="10", **more)
    state = AccountState(mine.account_id, 10 * NANO_PER_USD, spent * NANO_PER_USD, 0, NANO_PER_USD)

    at_us = exceeded(mine, state, needed * NANO_PER_USD).room_at_us

    assert at_us == {"never": None, "any": 0, "end": mine.period_end_us}[room]
