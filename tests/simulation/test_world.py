"""A few of the worlds of `make simulate`, and one crowded one."""

import pytest

from tests.simulation.invariants import check_all
from tests.simulation.world import simulate


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_world_keeps_every_promise(seed: int) -> None:
    check_all(simulate(seed))


def test_a_crowded_world_keeps_every_promise() -> None:
    outcome = simulate(2026, requests=1200)
    check_all(outcome)
    ended = {caller.outcome for caller in outcome.callers}
    assert {"ok", "left", "refused", "stream_interrupted"} <= ended, (
        "it must not be too calm to prove anything"
    )
    assert any(caller.job is not None and caller.job.continued for caller in outcome.callers)


def test_the_same_seed_gives_the_same_world_and_another_one_another() -> None:
    first, again, other = simulate(7, 150), simulate(7, 150), simulate(8, 150)
    assert first.trace == again.trace
    assert first.trace != other.trace
