"""What quality to expect, and how sure that is."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.quality.cells import (
    ANY,
    CellCounts,
    CellKey,
    compared,
    fair_qualities,
    grouped,
    learned_qualities,
    with_any_provider,
)
from domain.quality.scores import (
    Evidence,
    Opinions,
    difference,
    failing_difference,
    mean_of,
    quality_of,
    share_of,
    wilson,
)

BY_TASK = ("provider", "model", "task")


def cell(
    model: str = "small", *, task: str = "chat", tenant_id: str = ANY, provider: str = "p", **counts: object
) -> CellCounts:
    return CellCounts(CellKey(provider, model, task, "r", tenant_id), **counts)  # type: ignore[arg-type]


def test_the_wilson_interval_is_as_published() -> None:
    # Newcombe (1998), Table I, method 3: 81 of 263 gives 0.2553 to 0.3662.
    found = wilson(81 / 263, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


def test_the_interval_of_a_difference_is_as_published() -> None:
    # Newcombe (1998), Table II, method 10: 56/70 less 48/80 gives 0.0524 to 0.3339.
    found = difference(Evidence(Opinions(70, 56.0)), Evidence(Opinions(80, 48.0)))
    assert found is not None
    assert (round(found.value, 2), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0524, 0.3339)


def test_without_evidence_the_quality_is_the_declared_one() -> None:
    assert quality_of(Evidence(), 0.8).value == pytest.approx(0.8)
    assert quality_of(Evidence(), None).value == pytest.approx(0.5)


def test_opinions_move_it_slowly_at_first_and_win_in_the_end() -> None:
    few = quality_of(Evidence(Opinions(2, 0.0)), 0.8).value
    many = quality_of(Evidence(Opinions(2000, 0.0)), 0.8).value
    assert 0.7 < few < 0.8
    assert many < 0.01


def test_more_opinions_are_surer() -> None:
    few, many = (quality_of(Evidence(Opinions(n, n * 0.6)), 0.6) for n in (10, 1000))
    assert few.low < many.low < many.value < many.high < few.high


def test_passing_checks_proves_nothing_and_failing_them_does() -> None:
    assert quality_of(Evidence(checked=10_000), 0.6).value == pytest.approx(0.6)
    assert quality_of(Evidence(checked=1000, failed=500), 0.6).value < 0.32


def test_a_judge_counts_for_half_a_person() -> None:
    by_people = quality_of(Evidence(Opinions(50, 0.0)), 0.8).value
    assert by_people < quality_of(Evidence(judged=Opinions(50, 0.0)), 0.8).value
    assert by_people == pytest.approx(quality_of(Evidence(judged=Opinions(100, 0.0)), 0.8).value)


def test_nothing_is_told_of_what_nobody_looked_at() -> None:
    assert mean_of(Opinions()) is None
    assert share_of(0, 0) is None
    assert difference(Evidence(Opinions(29, 29.0)), Evidence(Opinions(1000, 0.0))) is None
    assert failing_difference(Evidence(checked=29), Evidence(checked=1000)) is None


def test_models_are_compared_task_by_task() -> None:
    cells = [
        cell("a", feedback=Opinions(100, 90.0)),
        cell("b", feedback=Opinions(100, 50.0)),
        cell("a", task="code", feedback=Opinions(5, 5.0)),
        cell("b", task="code", feedback=Opinions(5, 0.0)),
        cell("a", task="vision", feedback=Opinions(5, 5.0)),
    ]
    chat, code = compared("a", "p/b", cells)
    assert (chat.task, chat.better) == ("chat", "a")
    assert chat.difference is not None and chat.difference.low > 0
    assert (code.task, code.better, code.difference) == ("code", None, None)
    assert "not enough data" in code.why


def test_a_difference_that_may_be_none_names_no_winner() -> None:
    [found] = compared(
        "a", "b", [cell("a", feedback=Opinions(50, 40.0)), cell("b", feedback=Opinions(50, 38.0))]
    )
    assert found.better is None
    assert "no difference is shown" in found.why


def test_cells_are_summed_over_what_nobody_asked_for() -> None:
    cells = [cell(requests=2, truncated=1), cell(task="code", requests=3, feedback=Opinions(1, 0.5))]
    [found] = grouped(cells, ("provider", "model"))
    assert found.key == CellKey("p", "small", ANY, ANY)
    assert (found.requests, found.truncated, found.feedback) == (5, 1, Opinions(1, 0.5))


def test_one_tenant_cannot_decide_for_all_others() -> None:
    alone = [cell(tenant_id="loud", feedback=Opinions(100_000, 0.0))]
    others = [cell(tenant_id=f"t{n}", feedback=Opinions(200, 180.0)) for n in range(9)]
    learned = learned_qualities([*alone, *others], {("p", "small"): 0.9})
    assert learned["p", "small"] > 0.75


@pytest.mark.parametrize("bystander", [{"requests": 40}, {"feedback": Opinions(40, 40.0)}])
def test_whoever_shares_a_model_with_others_moves_it_by_a_third_at_most(bystander: dict[str, Any]) -> None:
    loud = cell(tenant_id="loud", feedback=Opinions(200, 0.0), checked=500, failed=0)
    quiet = cell(tenant_id="quiet", **bystander)
    learned = learned_qualities([loud, quiet], {("p", "small"): 0.9})
    assert learned["p", "small"] >= 0.9 * 2 / 3 - 0.01


def test_the_only_tenant_of_a_model_decides_for_itself() -> None:
    learned = learned_qualities([cell(tenant_id="only", feedback=Opinions(200, 0.0))], {("p", "small"): 0.9})
    assert learned["p", "small"] < 0.1


def test_no_tenant_moves_the_metric_of_a_task_further_than_what_routing_learns() -> None:
    loud = cell(tenant_id="loud", task="code", feedback=Opinions(100_000, 0.0), requests=9)
    quiet = cell(tenant_id="quiet", task="code", requests=1)
    alone = cell(tenant_id="loud", task="chat", feedback=Opinions(200, 0.0), requests=2)
    by_task = {
        key.task: quality
        for key, quality in fair_qualities([loud, quiet, alone], {("p", "small"): 0.9}, BY_TASK)
    }
    assert list(by_task) == ["code", "chat"], "the busiest first"
    assert 0.9 * 2 / 3 - 0.01 <= by_task["code"] < 0.9
    assert by_task["chat"] < 0.1, "whoever is alone decides for itself"


SAID = st.tuples(st.integers(0, 1000), st.floats(0, 1))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(SAID, min_size=1, max_size=6),
    st.one_of(st.none(), st.floats(0, 1)),
    st.one_of(st.integers(1, 400), st.just(10**6)),
    st.booleans(),
)
def test_whatever_one_tenant_says_moves_what_all_see_by_a_third_at_most(
    others: list[tuple[int, float]], declared: float | None, often: int, checks: bool
) -> None:
    """Between the worst and the best that it can say; whole numbers of opinions cost a little."""
    known = {} if declared is None else {("p", "small"): declared}

    def told(name: str, count: int, good: float) -> CellCounts:
        if checks:
            bad = round(count * (1 - good))
            return cell(tenant_id=name, requests=1, checked=count, failed=bad)
        return cell(tenant_id=name, requests=1, feedback=Opinions(count, count * good))

    quiet = [told(f"t{n}", *each) for n, each in enumerate(others)]
    worst, best = (
        fair_qualities([*quiet, told("loud", often, good)], known, BY_TASK)[0][1] for good in (0.0, 1.0)
    )
    assert best - worst <= 1 / 3 + 0.08


def test_of_two_who_say_much_neither_counts_for_more_than_what_is_declared() -> None:
    some = [cell(tenant_id=name, feedback=Opinions(5000, total)) for name, total in (("a", 0.0), ("b", 5e3))]
    assert learned_qualities(some, {("p", "small"): 0.8})["p", "small"] == pytest.approx((0 + 1 + 0.8) / 3)
    many = [cell(tenant_id=f"t{n}", feedback=Opinions(5000, 0.0)) for n in range(3)]
    assert learned_qualities(many, {("p", "small"): 0.8})["p", "small"] < 0.05, "three may agree"


def test_routing_learns_nothing_of_what_nobody_looked_at() -> None:
    assert learned_qualities([cell(requests=1000)], {("p", "small"): 0.9}) == {}


def test_a_model_at_any_provider_is_declared_what_its_providers_are_on_average() -> None:
    assert with_any_provider({("p", "m"): 0.4, ("q", "m"): 0.8})[ANY, "m"] == pytest.approx(0.6)
