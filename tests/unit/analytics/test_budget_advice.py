"""Budgets that bound nothing, and those that are always used up early, are told with what it rests on."""

from typing import Any

import pytest

from adapters.memory.ledger import InMemoryLedger
from application.budget_facts import budget_periods
from application.ports.ledger import LeaseLine
from contracts.ports.ledger_world import account
from domain.analytics.advising import recommendations_of
from domain.analytics.facts import BudgetPeriod, Facts
from domain.analytics.recommendation import Kind, Recommendation
from domain.analytics.rollup import DAY_US
from domain.budgets.posting import HoldOutcome, Posting

USD = 10**9
NOW_US = 1_772_323_200_000_000
"""A midnight, UTC."""


def day(ago: int, used: float, **more: Any) -> BudgetPeriod:
    """One day of a budget of $10 a day; the last charge of a day came after a quarter of it."""
    start = NOW_US - ago * DAY_US
    values: dict[str, Any] = {
        "budget_id": "b1",
        "name": "team",
        "subject": "",
        "unit": "day",
        "limit_nano_usd": 10 * USD,
        "hard": True,
        "used_nano_usd": round(used * USD),
        "start_us": start,
        "end_us": start + DAY_US,
        "last_us": start + DAY_US // 4,
    }
    return BudgetPeriod(**(values | more))


def advised(*periods: BudgetPeriod) -> list[Recommendation]:
    facts = Facts(tenant_id="acme", from_us=NOW_US - 30 * DAY_US, to_us=NOW_US, budget_periods=periods)
    return recommendations_of(facts, NOW_US)


def test_a_limit_that_is_far_from_used_is_told_with_a_nearer_one() -> None:
    (advice,) = advised(*(day(ago, 1.1 if ago == 5 else 0.4) for ago in range(1, 21)))

    assert advice.kind is Kind.LOOSE_BUDGET
    assert advice.saving is None
    assert "Budget team ($10.00 a day) bounds nothing: of 20 days none used more than $1.10 (11.0%)" in (
        advice.sentence
    )
    assert advice.evidence["proposed_limit_usd"] == "2.2"
    assert (advice.evidence["periods"], advice.evidence["most_used_usd"]) == (20, "1.1")


@pytest.mark.parametrize(
    "periods",
    [
        pytest.param([day(ago, 0.4) for ago in range(1, 10)], id="nine days are no two weeks"),
        pytest.param([day(ago, 3 if ago == 2 else 0.4) for ago in range(1, 21)], id="once it was needed"),
        pytest.param([day(ago, 0.4) for ago in range(10, 30)], id="nothing was spent lately"),
        pytest.param([day(ago, 0.0) for ago in range(1, 21)], id="nothing was spent at all"),
        pytest.param(
            [day(ago, 0.4, limit_nano_usd=(10 if ago > 2 else 2) * USD) for ago in range(1, 21)],
            id="the limit was changed two days ago",
        ),
    ],
)
def test_a_limit_of_which_too_little_is_known_or_that_was_needed_is_left_alone(
    periods: list[BudgetPeriod],
) -> None:
    assert advised(*periods) == []


def test_a_hard_limit_that_is_used_up_early_most_days_is_told() -> None:
    periods = [day(ago, 9.9 if ago % 3 else 5, subject=f"agent=a{ago % 3}") for ago in range(1, 7)]
    (advice,) = advised(*periods)

    assert advice.kind is Kind.TIGHT_BUDGET
    assert "was used up in 4 of 6 days, in the middle one after 25% of the day" in advice.sentence
    assert advice.evidence["periods_used_up"] == 4
    assert len(advice.evidence["newest_periods"]) == 6
    assert advice.evidence["newest_periods"][0].endswith("agent=a1: $9.90 (99.0%)")


def test_a_hard_limit_that_lasts_to_the_end_fits() -> None:
    late = [day(ago, 9.9)._replace(last_us=day(ago, 1).end_us - 1) for ago in range(1, 7)]
    assert advised(*late) == []
    seldom = [day(ago, 9.9 if ago == 1 else 8) for ago in range(1, 7)]
    assert advised(*seldom) == []


def test_a_soft_limit_that_is_passed_says_by_how_much() -> None:
    (advice,) = advised(*(day(ago, 10 + ago, hard=False) for ago in range(1, 5)))

    assert advice.kind is Kind.TIGHT_BUDGET
    assert "was passed in 4 of 4 days, by up to $4.00, and refuses nothing" in advice.sentence


async def test_what_is_told_of_a_budget_is_what_the_ledger_has_of_its_periods() -> None:
    ledger = InMemoryLedger()
    await ledger.open("h1", NOW_US)
    mine = account("a1", limit=10 * USD)._replace(
        tenant_id="acme", period="day", period_start_us=NOW_US - DAY_US, period_end_us=NOW_US
    )
    ever = account("a2", limit=10 * USD)._replace(tenant_id="acme", period="total", period_end_us=None)
    others = mine._replace(account_id="a3", tenant_id="other")
    for one in (mine, ever, others):
        await ledger.exchange("h1", [LeaseLine(one, need=4 * USD)], NOW_US - DAY_US + 1)
    posting = Posting("try1", HoldOutcome.SETTLED, 3 * USD, 4 * USD, 3 * USD, "h1", "h1", ("a1",))
    await ledger.post([posting], NOW_US - DAY_US + 5)

    (found,) = await budget_periods(ledger, "acme", NOW_US)
    assert (found.unit, found.limit_nano_usd, found.used_nano_usd) == ("day", 10 * USD, 3 * USD)
    assert found.last_us == NOW_US - DAY_US + 5
