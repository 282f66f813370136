"""Nobody states away what a budget counted that somebody else set on them."""

import pytest

from application.ports.ledger import LeaseLine
from application.use_cases.resolve_charges import ResolveCharges
from domain.budgets.budget import Budget, account_of
from domain.budgets.posting import HoldOutcome, Posting
from domain.budgets.scope import Spender
from domain.errors import Forbidden
from domain.money import NANO_PER_USD
from tests.unit.budgets.budget_world import ADMIN, OPERATOR, BudgetWorld, terms


async def cut_off(world: BudgetWorld, budget: Budget) -> ResolveCharges:
    """An attempt on this budget whose bill nobody knows."""
    account = account_of(budget, Spender("acme"), world.clock.utc_now())
    assert account is not None
    await world.ledger.open("h", 0)
    await world.ledger.exchange("h", [LeaseLine(account, need=NANO_PER_USD)], 0)
    amounts = (NANO_PER_USD, NANO_PER_USD, 0)
    posting = Posting("req_1.0", HoldOutcome.UNRESOLVED, *amounts, "h", "h", (account.account_id,))
    await world.ledger.post([posting], 0)
    return ResolveCharges(world.ledger, world.clock, world.book)


async def test_a_budget_of_the_file_is_resolved_by_the_operator_alone() -> None:
    world = BudgetWorld()
    declared = world.declared()
    world.follow.declare([declared])
    charges = await cut_off(world, declared)

    with pytest.raises(Forbidden):
        await charges.resolve(ADMIN, "req_1.0", 0)

    assert await charges.resolve(OPERATOR, "req_1.0", 0) == 1


async def test_a_budget_that_the_operator_made_for_a_tenant_is_no_different() -> None:
    world = BudgetWorld()
    made = (await world.manage.create(OPERATOR, terms())).budget
    charges = await cut_off(world, made)

    with pytest.raises(Forbidden):
        await charges.resolve(ADMIN, "req_1.0", 0)


async def test_a_tenants_own_budget_is_its_own_business() -> None:
    world = BudgetWorld()
    made = (await world.manage.create(ADMIN, terms())).budget
    charges = await cut_off(world, made)

    assert await charges.resolve(ADMIN, "req_1.0", 0) == 1
