"""Objectives, error budgets and burn rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidConfiguration
from domain.sla.measure import (
    DURATION_MS,
    NOTHING,
    OVERHEAD_MS,
    Measure,
    quantile_ms,
    total,
    within,
)
from domain.sla.objective import (
    BURN_WINDOWS,
    DEFAULT_OBJECTIVES,
    Aspect,
    Objective,
    Tally,
    budget_left,
    burn_rate,
    can_burn,
)

AVAILABILITY = Objective(name="a", aspect=Aspect.AVAILABILITY, target=0.999)
counts = st.lists(st.integers(0, 10_000), min_size=len(DURATION_MS) + 1, max_size=len(DURATION_MS) + 1)
measures = st.builds(
    Measure,
    *([st.integers(0, 10**12)] * 9),
    counts.map(tuple),
    st.lists(
        st.integers(0, 10_000), min_size=len(OVERHEAD_MS) + 1, max_size=len(OVERHEAD_MS) + 1
    ).map(tuple),
)  # fmt: skip


def test_an_error_budget_is_what_the_target_leaves() -> None:
    assert budget_left(AVAILABILITY, Tally(10_000, 0)) == 1
    assert budget_left(AVAILABILITY, Tally(10_000, 5)) == pytest.approx(0.5)
    assert budget_left(AVAILABILITY, Tally(10_000, 10)) == pytest.approx(0)
    assert budget_left(AVAILABILITY, Tally(10_000, 20)) == pytest.approx(-1)
    assert budget_left(AVAILABILITY, Tally(0, 0)) is None


def test_a_burn_rate_of_one_uses_the_budget_up_at_the_end() -> None:
    assert burn_rate(AVAILABILITY, Tally(10_000, 10)) == pytest.approx(1)
    assert burn_rate(AVAILABILITY, Tally(1000, 1000)) == pytest.approx(1000)


@pytest.mark.parametrize(("name", "used"), [("1h", 0.02), ("6h", 0.05), ("3d", 0.1)])
def test_windows_stand_for_what_the_workbook_says(name: str, used: float) -> None:
    found = next(each for each in BURN_WINDOWS if each.name == name)

    assert found.rate * found.long_us / (30 * 86_400_000_000) == pytest.approx(used)
    assert found.long_us / found.short_us == pytest.approx(12)


def test_a_rate_that_cannot_be_reached_is_not_watched() -> None:
    half = Objective(name="h", aspect=Aspect.HIT_RATIO, target=0.5)

    assert [can_burn(half, each) for each in BURN_WINDOWS] == [False, False, True]
    assert all(can_burn(AVAILABILITY, each) for each in BURN_WINDOWS)


def test_the_defaults_are_those_of_the_specification() -> None:
    said = {each.name: (each.target, each.aim, each.limit_ms) for each in DEFAULT_OBJECTIVES}

    assert said == {
        "availability": (0.999, None, None),
        "error-rate": (0.99, None, None),
        "cache-hit-ratio": (0.5, 0.7, None),
        "latency-p95": (0.95, None, 5000),
        "overhead-p50": (0.5, None, 200),
    }


@pytest.mark.parametrize(
    ("given_", "param"),
    [
        ({"target": 1.0}, "target"),
        ({"target": 0.0}, "target"),
        ({"limit_ms": 5.0}, "limit_ms"),
        ({"aspect": Aspect.LATENCY}, "limit_ms"),
        ({"window_days": 40}, "window_days"),
        ({"aim": 0.0}, "aim"),
    ],
)
def test_a_wrong_objective_is_refused_and_the_field_named(given_: dict[str, object], param: str) -> None:
    said = {"name": "x", "aspect": Aspect.AVAILABILITY, "target": 0.9, **given_}

    with pytest.raises(InvalidConfiguration) as caught:
        Objective(**said)  # type: ignore[arg-type]

    assert caught.value.param == param


@given(st.lists(measures, max_size=5), st.lists(measures, max_size=5))
def test_measures_add_up_in_any_order(some: list[Measure], more: list[Measure]) -> None:
    assert total([*some, *more]) == total([*reversed(more), *some]) == total(some).plus(total(more))
    assert total(some).plus(NOTHING) == total(some)


@given(counts, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_quantiles_rise_with_the_share(found: list[int], low: float, high: float) -> None:
    low, high = sorted((low, high))
    at_low, at_high = quantile_ms(found, DURATION_MS, low), quantile_ms(found, DURATION_MS, high)

    assert (at_low is None) == (sum(found) == 0)
    if at_low is not None and at_high is not None:
        assert 0 <= at_low <= at_high <= DURATION_MS[-1]


@given(counts, st.floats(0.05, 0.95))
def test_a_quantile_is_where_that_share_stays_within(found: list[int], share: float) -> None:
    at = quantile_ms(found, DURATION_MS, share)
    if at is not None and at < DURATION_MS[-1]:
        assert within(found, DURATION_MS, at) == pytest.approx(share * sum(found), rel=1e-6, abs=1e-6)


@given(measures)
def test_a_tally_is_never_more_bad_than_whole(measure: Measure) -> None:
    for objective in (DEFAULT_OBJECTIVES[3], DEFAULT_OBJECTIVES[4]):
        tally = objective.tally(measure)
        assert 0 <= tally.bad <= tally.whole
