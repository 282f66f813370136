"""A border lies beyond what a series has shown, follows it, and is not moved by accidents."""

import random

from hypothesis import given
from hypothesis import strategies as st

from domain.anomalies.tail import Tail

DISTANCES = st.lists(st.floats(0, 100, allow_subnormal=False), min_size=50, max_size=300)


def filled(distances: list[float], keep: int = 1000) -> Tail:
    tail = Tail(keep, 50, 1)
    for place, distance in enumerate(distances):
        tail.add(place, distance)
    return tail


def border(tail: Tail) -> float:
    assert tail.border is not None
    return tail.border


def test_too_few_distances_say_nothing() -> None:
    assert filled([1.0] * 49).border is None
    assert filled([1.0] * 50).border is not None


@given(DISTANCES)
def test_the_border_lies_beyond_99_of_100(distances: list[float]) -> None:
    assert sum(distance > border(filled(distances)) for distance in distances) <= 0.01 * len(distances)


@given(DISTANCES, st.floats(0, 1000))
def test_what_was_strange_does_not_move_the_far_end(distances: list[float], strange: float) -> None:
    tail = filled(distances)
    tail.add(len(distances), strange, strange=True)
    far = sorted(distances)[int(0.99 * len(distances))]
    again = filled(distances)
    again.add(len(distances), min(strange, far))
    assert border(tail) == border(again)


def test_a_wilder_series_has_a_further_border_and_old_distances_are_forgotten() -> None:
    chance = random.Random(1)
    calm = [abs(chance.gauss(0, 1)) for _ in range(500)]
    wild = [5 * distance for distance in calm]
    tail = filled([*wild, *calm], keep=400)
    assert border(tail) == border(filled(calm[-400:], keep=400))
    assert border(filled(wild)) > 4 * border(filled(calm))


def test_even_distances_have_a_border_at_about_five_deviations() -> None:
    chance = random.Random(2)
    tail = filled([abs(chance.gauss(0, 1)) for _ in range(1000)])
    assert 4.0 < border(tail) < 6.5
