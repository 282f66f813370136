"""Affinity keeps prompt caches warm, and money, in a world where providers fail and agents pause."""

import pytest

from tests.simulation.conversations import AGENTS, TURNS, converse


@pytest.mark.parametrize("strategy", ["weighted", "balanced"])
def test_affinity_keeps_more_of_the_cache_and_costs_less(strategy: str) -> None:
    off, on = (converse(3, strategy, affinity=affinity) for affinity in (False, True))

    assert on.hit_share >= off.hit_share
    assert on.cost_nano_usd <= off.cost_nano_usd
    assert on.answered >= AGENTS * TURNS * 0.99
    if strategy == "weighted":
        assert on.hit_share > 0.8 > off.hit_share + 0.1
        assert on.cost_nano_usd < off.cost_nano_usd * 0.8


def test_the_same_seed_gives_the_same_conversations() -> None:
    assert converse(5, "latency", affinity=True).events == converse(5, "latency", affinity=True).events
