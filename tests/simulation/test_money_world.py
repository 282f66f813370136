"""A few of the worlds with money of `make simulate`."""

import pytest

from tests.simulation.money_invariants import check_money
from tests.simulation.money_world import simulate_money


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_no_budget_is_overspent_while_processes_die_and_stores_go_away(seed: int) -> None:
    outcome = simulate_money(seed)
    check_money(outcome)
    ended = {spender.outcome for spender in outcome.spenders}
    assert {"ok", "left", "budget_exceeded", "store_unavailable"} <= ended, (
        "it must not be too calm to prove anything"
    )
    assert outcome.crashes


def test_the_same_seed_spends_the_same_and_another_one_something_else() -> None:
    first, again, other = simulate_money(7, 150), simulate_money(7, 150), simulate_money(8, 150)
    assert first.trace == again.trace
    assert first.bill.by_attempt == again.bill.by_attempt
    assert first.trace != other.trace
