"""A few of the worlds with caches of `make simulate`."""

from collections import Counter

import pytest

from tests.simulation.cache_invariants import check_caches
from tests.simulation.cache_world import simulate_caches
from tests.thorough import THOROUGH


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 22, 50] if THOROUGH else [1, 4, 22, 50])
def test_no_kept_answer_is_served_to_whom_it_must_not_be_while_everything_goes_wrong(seed: int) -> None:
    outcome = simulate_caches(seed)
    check_caches(outcome)
    seen = Counter(events[0].cache for events in outcome.events.values())
    hits = {"hit-l1", "hit-l2", "hit-semantic", "hit-coalesced", "miss", "bypass", "observe", "audit"}
    assert hits <= set(seen), "it must not be too calm to prove anything"
    assert outcome.crashes and outcome.declared
    assert {"ok", "left", "budget_exceeded"} <= {asker.outcome for asker in outcome.askers}


def test_the_same_seed_serves_the_same_and_another_one_something_else() -> None:
    first, again, other = simulate_caches(7, 60), simulate_caches(7, 60), simulate_caches(8, 60)
    assert first.trace == again.trace
    assert first.trace != other.trace
