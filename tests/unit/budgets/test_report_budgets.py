"""How budgets stand, for people."""

import pytest

from application.ports.ledger import LeaseLine
from domain.budgets.budget import account_of
from domain.budgets.scope import Spender
from domain.errors import Forbidden, InvalidRequest, NotFound, StoreUnavailable
from domain.money import NANO_PER_USD
from domain.tenancy.key_rules import NewKey
from tests.unit.budgets.budget_world import ADMIN, OPERATOR, BudgetWorld, principal, terms

PLANNER = Spender("acme", agent="planner")


@pytest.fixture
def world() -> BudgetWorld:
    return BudgetWorld()


async def test_an_unused_budget_has_all_of_its_limit(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())

    _, (standing,) = await world.report.accounts(ADMIN, made.budget.budget_id)

    assert standing.remaining_nano_usd == 10 * NANO_PER_USD
    assert standing.state.committed_nano_usd == 0
    assert standing.forecast.exhausted_at_us is None


async def test_each_subject_stands_for_itself_the_most_used_first(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms(scope={"tenant": "acme", "agent": "*"}))
    await world.spend(made.budget, PLANNER, 2.5)
    await world.spend(made.budget, PLANNER._replace(agent="writer"), 4)

    _, standings = await world.report.accounts(ADMIN, made.budget.budget_id)
    _, only = await world.report.accounts(ADMIN, made.budget.budget_id, subject="agent=planner")

    assert [(s.account.subject, s.state.spent_nano_usd) for s in standings] == [
        ("agent=writer", 4 * NANO_PER_USD),
        ("agent=planner", 2_500_000_000),
    ]
    assert [standing.account.subject for standing in only] == ["agent=planner"]


async def test_a_budget_for_each_value_that_nobody_used_has_no_accounts(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms(scope={"tenant": "acme", "agent": "*"}))

    assert (await world.report.accounts(ADMIN, made.budget.budget_id))[1] == []


async def test_figures_stand_under_the_limit_in_force_and_not_the_one_before(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    await world.spend(made.budget, PLANNER, 8)
    changed = await world.manage.replace(ADMIN, made.budget.budget_id, terms(limit_usd=5))

    _, (standing,) = await world.report.accounts(ADMIN, changed.budget.budget_id)

    assert standing.state.limit_nano_usd == 5 * NANO_PER_USD
    assert standing.remaining_nano_usd == 0
    assert standing.forecast.exhausted_at_us is not None


async def test_only_the_present_period_is_shown(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    await world.spend(made.budget, PLANNER, 8)
    world.clock.advance(86_400)

    _, (standing,) = await world.report.accounts(ADMIN, made.budget.budget_id)

    assert standing.state.spent_nano_usd == 0


async def test_a_rate_is_told_from_what_the_account_spent_since_it_began(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    world.clock.advance(6 * 3600)
    await world.spend(made.budget, PLANNER, 2)
    world.usage.reachable = False

    _, (standing,) = await world.report.accounts(ADMIN, made.budget.budget_id)

    assert standing.forecast.rate_nano_usd_per_day == 8 * NANO_PER_USD
    assert standing.forecast.projected_nano_usd == 8 * NANO_PER_USD
    assert standing.forecast.exhausted_at_us is None


async def test_strangers_learn_nothing(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())

    with pytest.raises(NotFound):
        await world.report.accounts(principal("other"), made.budget.budget_id)
    with pytest.raises(Forbidden):
        await world.report.check(principal("other"), PLANNER)


async def test_a_check_tells_what_concerns_somebody_the_tightest_hard_one_first(world: BudgetWorld) -> None:
    key = await world.create_key(ADMIN, NewKey(tenant_id="acme", name="k", role="agent", team="red"))
    await world.manage.create(ADMIN, terms(name="soft", limit_usd=1, hard=False))
    agents = await world.manage.create(
        ADMIN, terms(name="agents", limit_usd=6, scope={"tenant": "acme", "agent": "*"})
    )
    team = await world.manage.create(ADMIN, terms(name="team", scope={"tenant": "acme", "team": "red"}))
    await world.manage.create(ADMIN, terms(name="blue", scope={"tenant": "acme", "team": "blue"}))
    await world.spend(agents.budget, PLANNER, 2)
    await world.spend(team.budget, Spender("acme", team="red"), 7)

    found = await world.report.check(ADMIN, PLANNER._replace(key="k"))
    by_id = await world.report.check(ADMIN, PLANNER._replace(key=key.key_id))

    assert [(c.record.budget.name, c.standing.remaining_nano_usd / NANO_PER_USD) for c in found] == [
        ("team", 3),
        ("agents", 4),
        ("soft", 1),
    ]
    assert by_id == found
    with pytest.raises(InvalidRequest):
        await world.report.check(ADMIN, PLANNER._replace(key="unknown"))


async def test_a_key_is_told_the_budget_that_leaves_it_least(world: BudgetWorld) -> None:
    caller = principal(role="agent")
    await world.manage.create(ADMIN, terms(limit_usd=20))
    mine = await world.manage.create(
        OPERATOR, terms(name="key", limit_usd=15, scope={"tenant": "acme", "key": "*"})
    )
    await world.spend(mine.budget, Spender("acme", key=caller.key_id), 6)

    told = await world.report.tightest(caller)

    assert told is not None
    assert (told.account.name, told.remaining_nano_usd) == ("key", 9 * NANO_PER_USD)


async def test_what_all_tenants_spend_together_is_told_to_none_of_them(world: BudgetWorld) -> None:
    made = await world.manage.create(OPERATOR, terms(name="all", scope={"model": "*"}))
    account = account_of(made.budget, Spender("acme", model="m"), world.clock.utc_now())

    assert account is not None
    assert await world.report.tightest(principal(role="agent")) is None
    assert await world.report.check(ADMIN, Spender("acme", model="m")) == []


async def test_a_ledger_that_is_away_leaves_the_key_without_figures(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    world.ledger.reachable = False

    assert await world.report.tightest(principal(role="agent")) is None
    with pytest.raises(StoreUnavailable):
        await world.report.accounts(ADMIN, made.budget.budget_id)


async def test_held_money_is_shown_as_held_and_still_spendable(world: BudgetWorld) -> None:
    made = await world.manage.create(ADMIN, terms())
    account = account_of(made.budget, PLANNER, world.clock.utc_now())
    assert account is not None
    await world.ledger.open("h", 0)
    await world.ledger.exchange("h", [LeaseLine(account, need=NANO_PER_USD)], 0)

    _, (standing,) = await world.report.accounts(ADMIN, made.budget.budget_id)

    assert standing.state.leased_nano_usd == NANO_PER_USD
    assert standing.remaining_nano_usd == 10 * NANO_PER_USD
