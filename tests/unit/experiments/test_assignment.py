"""Who gets which arm."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.experiments.assignment import POINT_BITS, arm_at, assigned_arm, point_of
from domain.experiments.experiment import Arm

_WEIGHTS = st.lists(st.integers(1, 10_000), min_size=2, max_size=8)


def _arms(weights: list[int]) -> list[Arm]:
    return [Arm(name=f"a{place}", route="r", weight=weight) for place, weight in enumerate(weights)]


def _first_point_at_or_after(share: Fraction) -> int:
    return -((-share.numerator << POINT_BITS) // share.denominator)


@given(_WEIGHTS)
def test_each_arm_has_its_weights_share_of_all_points(weights: list[int]) -> None:
    """Arms are intervals of points; an interval's length is exact, to one point."""
    arms, whole, start = _arms(weights), sum(weights), Fraction(0)
    for place, weight in enumerate(weights):
        end = start + Fraction(weight, whole)
        first, last = _first_point_at_or_after(start), _first_point_at_or_after(end) - 1
        assert arm_at(arms, first) == place
        assert arm_at(arms, last) == place
        start = end


@given(_WEIGHTS, st.integers(0, 2**POINT_BITS - 1))
def test_every_point_has_an_arm(weights: list[int], point: int) -> None:
    assert 0 <= arm_at(_arms(weights), point) < len(weights)


@given(st.text(), st.text(), st.text())
def test_a_unit_is_always_at_the_same_point(salt: str, tenant_id: str, value: str) -> None:
    point = point_of(salt, tenant_id, value)
    assert point == point_of(salt, tenant_id, value)
    assert 0 <= point < 2**POINT_BITS


def test_where_a_unit_falls_never_changes() -> None:
    """Other instances, and versions to come, have to agree with this one."""
    assert point_of("salt", "acme", "user-1") == 0x5756FA17B4ABAFC


def test_units_of_different_tenants_with_one_name_are_different_units() -> None:
    assert point_of("s", "a", "bc") != point_of("s", "ab", "c")
    assert point_of("s", "1:a", "") != point_of("s1", ":a", "")


def test_an_arm_in_one_experiment_says_nothing_about_another() -> None:
    arms = _arms([1, 1])
    both = [
        (assigned_arm(arms, "one", "t", str(user)), assigned_arm(arms, "two", "t", str(user)))
        for user in range(4000)
    ]
    for pair in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert 880 < both.count(pair) < 1120


def test_the_share_of_users_is_that_of_the_weights() -> None:
    arms = _arms([9, 1])
    second = sum(assigned_arm(arms, "s", "t", f"user-{user}") for user in range(20_000))
    assert 1850 < second < 2150
