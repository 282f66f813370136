"""What follows from what arms did."""

import pytest

from domain.errors import InvalidRequest
from domain.experiments.experiment import (
    Arm,
    Experiment,
    ExperimentTerms,
    Guardrail,
    Metric,
    make_experiment,
    terms_of,
)
from domain.experiments.judging import ArmFigures, Outcome, Verdict, breaches, judged
from domain.experiments.telling import breach_text, decision_text, verdict_text
from tests.unit.experiments.made import experiment, figures, sums

COST, ERRORS = Metric.COST, Metric.ERRORS


def _around(mean: float, count: int = 400) -> list[float]:
    """Values of this mean that differ a little."""
    return [mean * (0.9 if place % 2 else 1.1) for place in range(count)]


def _costs(**means: float) -> dict[str, ArmFigures]:
    return {name: figures(name, COST, _around(mean)) for name, mean in means.items()}


def test_a_cheaper_arm_is_better() -> None:
    wanted = experiment()
    report = judged(wanted, _costs(now=1_000_000, cheap=500_000))
    assert (report.outcome, report.winner) == (Outcome.BETTER, "cheap")
    assert decision_text(wanted, report).startswith("cheap is better: its cost is 50 % below control's")
    assert [each.verdict for each in report.arms] == [Verdict.CONTROL, Verdict.BETTER]


def test_a_dearer_arm_is_worse_and_control_stays() -> None:
    wanted = experiment()
    report = judged(wanted, _costs(now=1_000_000, cheap=2_000_000))
    assert (report.outcome, report.winner) == (Outcome.CONTROL_IS_BETTER, "now")
    assert "now is better" in decision_text(wanted, report)


def test_arms_that_are_alike_within_the_smallest_effect_are_the_same() -> None:
    wanted = experiment()
    report = judged(
        wanted, {name: figures(name, COST, _around(1_000_000, 20_000)) for name in ("now", "cheap")}
    )
    assert report.outcome is Outcome.NO_DIFFERENCE
    assert "No difference in cost within 5 %" in decision_text(wanted, report)
    assert verdict_text(wanted, report.arms[1]) == "no difference within 5 %"


def test_nothing_is_concluded_before_there_are_enough_units() -> None:
    wanted = experiment(min_samples=500)
    report = judged(wanted, _costs(now=1_000_000, cheap=1))
    assert (report.outcome, report.missing) == (Outcome.KEEP_GOING, 100)
    assert "100 more users" in decision_text(wanted, report)


def test_an_experiment_nobody_took_part_in_keeps_going() -> None:
    wanted = experiment()
    report = judged(wanted, {})
    assert (report.outcome, report.missing, report.ratio) == (Outcome.KEEP_GOING, 100, None)


def test_more_quality_is_better() -> None:
    wanted = experiment(metric="quality")
    known = {
        name: figures(name, Metric.QUALITY, [value, value + 0.1] * 300)
        for name, value in (("now", 0.5), ("cheap", 0.8))
    }
    assert judged(wanted, known).winner == "cheap"


def test_a_split_that_is_off_is_told_before_all_else() -> None:
    wanted = experiment()
    known = {
        "now": figures("now", COST, _around(1000.0, 900)),
        "cheap": figures("cheap", COST, _around(10.0, 500)),
    }
    report = judged(wanted, known)
    assert (report.outcome, report.winner) == (Outcome.SPLIT_IS_OFF, None)
    assert "Do not trust" in decision_text(wanted, report)


def test_the_best_of_several_better_arms_wins() -> None:
    wanted = experiment(arms=[Arm(name=name, route=name) for name in ("now", "b", "c")])
    report = judged(wanted, _costs(now=1000.0, b=700.0, c=500.0))
    assert report.winner == "c"


@pytest.mark.parametrize(("metric", "worse_by"), [(COST, 0.2), (ERRORS, 0.05)])
def test_a_guardrail_stops_an_arm_that_is_worse_for_sure(metric: Metric, worse_by: float) -> None:
    wanted = experiment(guardrails=[Guardrail(metric=metric, worse_by=worse_by)])
    bad = [1.0, 0.0] * 200
    good = [1.0, *[0.0] * 39] * 10
    known = {"now": figures("now", metric, good), "cheap": figures("cheap", metric, bad)}
    (breach,) = breaches(wanted, known)
    assert breach.arm == "cheap"
    assert breach.at_least > worse_by
    assert "worse by at least" in breach_text(wanted, breach)
    assert breaches(wanted, known, frozenset({"cheap"})) == ()


def test_a_guardrail_lets_an_arm_be_as_much_worse_as_it_says() -> None:
    wanted = experiment(guardrails=[Guardrail(metric=COST, worse_by=0.2)])
    assert breaches(wanted, _costs(now=1000.0, cheap=1150.0)) == ()


def test_where_all_arms_were_stopped_control_is_left() -> None:
    wanted = experiment()
    report = judged(wanted, _costs(now=1.0, cheap=2.0), frozenset({"cheap"}))
    assert report.outcome is Outcome.STOPPED
    assert "Guardrails stopped every arm" in decision_text(wanted, report)
    assert verdict_text(wanted, report.arms[1]) == "stopped by a guardrail"


def test_control_that_costs_nothing_has_no_shares() -> None:
    wanted = experiment()
    known = {"now": figures("now", COST, [0.0] * 200), "cheap": figures("cheap", COST, _around(10.0))}
    assert judged(wanted, known).arms[1].difference is None


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", {"name": ""}),
        ("route", {"route": "a\nb"}),
        ("arms", {"arms": (Arm(name="a", route="r"),)}),
        ("arms.1.name", {"arms": (Arm(name="a", route="r"), Arm(name="a", route="r"))}),
        ("arms.0.weight", {"arms": (Arm(name="a", route="r", weight=0), Arm(name="b", route="r"))}),
        ("arms.1.route", {"arms": (Arm(name="a", route="r"), Arm(name="b", route=""))}),
        ("unit", {"unit": "browser"}),
        ("metric", {"metric": "joy"}),
        ("min_samples", {"min_samples": 1}),
        ("alpha", {"alpha": 0.0}),
        ("smallest_effect", {"smallest_effect": 2.0}),
        ("salt", {"salt": "x" * 200}),
        ("guardrails", {"guardrails": (Guardrail(metric=COST, worse_by=0.1),) * 2}),
        ("guardrails.0.worse_by", {"guardrails": (Guardrail(metric=ERRORS, worse_by=1.5),)}),
    ],
)
def test_what_could_be_no_experiment_names_the_field(field: str, wrong: dict[str, object]) -> None:
    right: dict[str, object] = {
        "name": "n",
        "route": "r",
        "arms": (Arm(name="a", route="r"), Arm(name="b", route="s")),
    }
    with pytest.raises(InvalidRequest) as refused:
        make_experiment(ExperimentTerms(**{**right, **wrong}), experiment_id="e", owner="")  # type: ignore[arg-type]
    assert refused.value.param == field


def test_an_experiment_made_of_its_own_terms_is_the_same() -> None:
    made: Experiment = experiment(guardrails=[Guardrail(metric=ERRORS, worse_by=0.1)])
    assert make_experiment(terms_of(made), experiment_id=made.experiment_id, owner=made.owner) == made


def test_an_unknown_arm_is_told_with_those_there_are() -> None:
    with pytest.raises(InvalidRequest, match="there are now, cheap"):
        experiment().arm("x")


def test_sums_of_equal_values_have_no_variance() -> None:
    assert sums([3.0, 3.0]).variance(bounded=False) == 0.0
