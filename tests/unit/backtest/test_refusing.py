"""When nothing is concluded, and what is read of records."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from domain.backtest.judging import BacktestReport, Refusal, Verdict, _apart, judge
from domain.backtest.reading import ArmDraw, LeftOut, read
from domain.backtest.record import Record
from domain.experiments.experiment import Metric, Unit
from domain.experiments.sequences import Interval
from tests.unit.backtest.logs import known, logged, record

LOGGED: Mapping[str, float] = {"a/m": 0.7, "b/m": 0.3}
OTHER: Mapping[str, float] = {"a/m": 0.3, "b/m": 0.7}


def report(records: Sequence[Record], policy: Mapping[str, float] = OTHER, **how: Any) -> BacktestReport:
    return judge(read(records, known(policy, **how)), [Metric.COST])


def refusals(found: BacktestReport) -> set[Refusal]:
    (judgement,) = found.judgements
    assert (judgement.verdict is Verdict.REFUSED) == (not found.concluded)
    return {each.refusal for each in judgement.objections}


def test_what_was_drawn_often_enough_is_concluded() -> None:
    found = report(logged(1, 2_000, LOGGED))

    (judgement,) = found.judgements
    assert found.concluded
    assert judgement.verdict is Verdict.LOWER
    assert judgement.objections == ()


def test_the_same_policy_changes_nothing() -> None:
    assert report(logged(1, 2_000, LOGGED), LOGGED).judgements[0].verdict is Verdict.UNCLEAR


def test_what_was_never_drawn_concludes_nothing() -> None:
    certain = [each._replace(propensity=1.0, strategy="cost") for each in logged(1, 2_000, LOGGED)]

    found = report(certain)

    assert refusals(found) == {Refusal.NO_DRAWS}
    assert found.reading.left_out == {LeftOut.UNDRAWN: 2_000}
    assert found.judgements[0].estimates is None


def test_nobody_asked() -> None:
    assert refusals(report([])) == {Refusal.NO_REQUESTS}


def test_a_target_that_was_never_tried_concludes_nothing() -> None:
    assert Refusal.LOW_COVERAGE in refusals(report(logged(1, 2_000, LOGGED), {"a/m": 0.9, "c/m": 0.1}))


def test_where_nothing_was_tried_only_that_is_said() -> None:
    found = report(logged(1, 2_000, LOGGED), {"c/m": 1.0})

    assert refusals(found) == {Refusal.LOW_COVERAGE}
    assert [each.estimates for each in found.judgements] == [None] * len(found.judgements)


def test_a_first_choice_by_priority_is_no_draw_although_the_strategy_draws() -> None:
    """The other target waits behind it: nothing is known of it, and nothing may look as if it were."""
    by_priority = [each._replace(propensity=1.0, first="a/m") for each in logged(1, 2_000, LOGGED)]

    assert refusals(report(by_priority)) == {Refusal.NO_DRAWS}


def test_too_few_conclude_nothing() -> None:
    assert refusals(report(logged(1, 60, LOGGED))) >= {Refusal.LOW_EFFECTIVE_SAMPLE}


def test_a_target_that_was_hardly_tried_concludes_nothing() -> None:
    hardly = {"a/m": 0.998, "b/m": 0.002}

    assert refusals(report(logged(1, 3_000, hardly))) & {
        Refusal.LOW_EFFECTIVE_SAMPLE,
        Refusal.HEAVY_WEIGHT,
        Refusal.CLIPPED,
    }


def test_wrong_chances_are_noticed() -> None:
    wrong = [
        each._replace(propensity={"a/m": 0.5, "b/m": 0.5}[each.first]) for each in logged(1, 3_000, LOGGED)
    ]

    assert Refusal.WRONG_PROPENSITIES in refusals(report(wrong))


def test_many_that_fell_over_conclude_nothing() -> None:
    failing = [
        each._replace(fallbacks=1) if place % 5 == 0 else each
        for place, each in enumerate(logged(1, 2_000, LOGGED))
    ]

    assert refusals(report(failing)) == {Refusal.FELL_OVER}


def test_many_left_out_conclude_nothing() -> None:
    older = [
        each._replace(propensity=None) if place % 3 == 0 else each
        for place, each in enumerate(logged(1, 3_000, LOGGED))
    ]

    found = report(older)

    assert refusals(found) == {Refusal.LEFT_OUT}
    assert found.reading.left_out == {LeftOut.UNKNOWN: 1_000}
    assert "1000 unknown" in found.judgements[0].objections[0].why


def test_equal_outcomes_are_no_disagreement() -> None:
    equal = [each._replace(cost_nano_usd=7) for each in logged(1, 2_000, LOGGED)]

    (judgement,) = report(equal).judgements
    assert judgement.verdict is Verdict.UNCLEAR
    assert judgement.estimates is not None
    assert judgement.estimates.dr.value == pytest.approx(7)


def interval(value: float, half: float) -> Interval:
    return Interval(low=value - half, value=value, high=value + half)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (interval(10, 1.96), interval(12, 0), False),  # two standard errors, which one in twenty is
        (interval(10, 1.96), interval(13.2, 0), False),
        (interval(10, 1.96), interval(13.4, 0), True),
        (interval(13.4, 0), interval(10, 1.96), True),
        (interval(10, 1.96), interval(14.5, 1.96), False),
        (interval(10, 1.96), interval(14.8, 1.96), True),
        (interval(10, 0), interval(10 + 1e-12, 0), False),
    ],
)
def test_estimates_are_apart_where_chance_would_not_part_them(
    one: Interval, other: Interval, apart: bool
) -> None:
    assert _apart(one, other) is apart


def test_no_values_conclude_nothing() -> None:
    unpriced = [each._replace(cost_nano_usd=None) for each in logged(1, 2_000, LOGGED)]

    assert refusals(report(unpriced)) == {Refusal.NO_VALUES}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"propensity": None}, LeftOut.UNKNOWN),
        ({"propensity": 0.0}, LeftOut.UNKNOWN),
        ({"demands": "residency=eu-west,strategy=cost"}, LeftOut.OVERRIDDEN),
        ({"candidates": 3}, LeftOut.PARTIAL),
        ({"propensity": 1.0}, LeftOut.UNDRAWN),
        ({"propensity": 1.0, "affinity": "kept"}, LeftOut.UNLINKED),
        ({"propensity": 1.0, "affinity": "kept", "session_id": "began before"}, LeftOut.UNLINKED),
        ({"experiment": "gone", "arm": "x"}, LeftOut.UNKNOWN),
    ],
)
def test_why_a_request_is_left_out(changes: Mapping[str, Any], why: LeftOut) -> None:
    found = read([record(**changes)], known(OTHER))

    assert found.left_out == {why: 1}
    assert found.decisions == ()


def test_a_conversation_that_stays_has_the_weight_of_its_draw() -> None:
    drawn = record(1, session_id="s")
    stays = record(2, session_id="s", propensity=1.0, affinity="kept")
    moved = record(3, session_id="s", propensity=1.0, affinity="kept", first="b/m")

    found = read([moved, stays, drawn], known(OTHER))

    assert [(each.record.request_id, each.propensity) for each in found.decisions] == [
        (drawn.request_id, 0.7),
        (stays.request_id, 0.7),
    ]
    assert len({each.unit for each in found.decisions}) == 1
    assert found.left_out == {LeftOut.UNLINKED: 1}


def test_what_only_one_target_could_answer_is_answered_by_it_under_any_policy_that_has_it() -> None:
    only = record(candidates=1, propensity=1.0)

    (decision,) = read([only], known(OTHER)).decisions
    (never,) = read([only], known({"b/m": 1.0})).decisions

    assert (decision.propensity, decision.policy) == (1.0, {"a/m": 1.0})
    assert never.policy == {}


def test_arms_are_drawn_with_their_units() -> None:
    records = [
        record(1, experiment="e", arm="x", propensity=1.0, candidates=1, user_id="u"),
        record(2, experiment="e", arm="y", propensity=1.0, candidates=1, user_id="v", first="b/m"),
    ]

    found = read(records, known(OTHER, 1, arm=lambda _record: ArmDraw(0.25, Unit.USER)))

    assert [each.propensity for each in found.decisions] == [0.25, 0.25]
    assert [each.unit for each in found.decisions] == ["user\0u", "user\0v"]


def test_a_target_of_two_arms_is_not_counted_twice() -> None:
    records = [
        record(1, experiment="e", arm="x", propensity=1.0, candidates=1),
        record(2, experiment="e", arm="y", propensity=1.0, candidates=1),
    ]

    found = read(records, known(OTHER, 1, arm=lambda _record: ArmDraw(0.5, Unit.REQUEST)))

    assert [each.propensity for each in found.decisions] == [1.0, 1.0]
