"""Figures of budgets for metrics and health."""

import pytest

from application.use_cases.watch_budgets import BUDGETS_MAX, WatchBudgets
from domain.budgets.alerts import alerts_due
from domain.budgets.budget import account_of
from domain.budgets.scope import Spender
from domain.money import NANO_PER_USD
from entrypoints.budgeting import budget_gauges, ledger_health
from tests.unit.budgets.budget_world import ADMIN, BudgetWorld, terms


@pytest.fixture
def world() -> BudgetWorld:
    return BudgetWorld()


@pytest.fixture
def watch(world: BudgetWorld) -> WatchBudgets:
    return WatchBudgets(world.book, world.ledger, world.clock)


async def test_a_budget_of_many_subjects_is_one_figure_of_the_most_used(
    world: BudgetWorld, watch: WatchBudgets
) -> None:
    made = await world.manage.create(ADMIN, terms(scope={"tenant": "acme", "agent": "*"}))
    for agent, usd in (("a", 2), ("b", 5), ("c", 1)):
        await world.spend(made.budget, Spender("acme", agent=agent), usd)

    await watch.look()

    (figures,) = watch.figures
    assert (figures.accounts, figures.utilization) == (3, 0.5)
    assert figures.remaining_nano_usd == 5 * NANO_PER_USD


async def test_a_rate_is_what_was_spent_between_looks(world: BudgetWorld, watch: WatchBudgets) -> None:
    made = await world.manage.create(ADMIN, terms())
    await watch.look()
    await world.spend(made.budget, Spender("acme"), 1)
    world.clock.advance(60)
    await watch.look()
    first = watch.figures[0].spend_nano_usd_per_hour
    world.clock.advance(86_400)
    await watch.look()

    assert first == 60 * NANO_PER_USD
    assert watch.figures[0].spend_nano_usd_per_hour == 0


async def test_an_unreachable_ledger_is_told_and_the_figures_stay(
    world: BudgetWorld, watch: WatchBudgets
) -> None:
    await world.manage.create(ADMIN, terms())
    await watch.look()
    before = watch.figures
    world.ledger.reachable = False

    await watch.look()

    assert watch.figures == before
    assert ledger_health(watch, world.book) == {"status": "down", "budgets": 1, "hard": 1}
    assert _sample(world, watch, "interchange_ledger_reachable") == [((), 0)]


async def test_without_budgets_nobody_is_asked(world: BudgetWorld, watch: WatchBudgets) -> None:
    world.ledger.reachable = False

    await watch.look()

    assert ledger_health(watch, world.book)["status"] == "unused"


async def test_alerts_and_refusals_are_counted_by_budget_and_series_are_bounded(
    world: BudgetWorld, watch: WatchBudgets
) -> None:
    made = await world.manage.create(ADMIN, terms())
    account = account_of(made.budget, Spender("acme"), world.clock.utc_now())
    assert account is not None
    watch.told(alerts_due(account, 9 * NANO_PER_USD, 0))
    refusals = {made.budget.budget_id: 3, "bud_gone": 7}
    await watch.look()

    labels = (("budget", "daily"), ("tenant", "acme"))
    assert _sample(world, watch, "interchange_budget_alerts_total") == [(labels, 2)]
    assert _sample(world, watch, "interchange_budget_refusals_total", refusals) == [(labels, 3)]
    world.book.replace([world.declared(name=f"n{number}") for number in range(BUDGETS_MAX + 50)])
    await watch.look()
    assert len(watch.figures) == BUDGETS_MAX


def _sample(
    world: BudgetWorld, watch: WatchBudgets, name: str, refusals: dict[str, int] | None = None
) -> list[object]:
    (gauge,) = (gauge for gauge in budget_gauges(watch, refusals or {}) if gauge.name == name)
    return list(gauge.samples)
