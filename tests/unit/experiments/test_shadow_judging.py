"""What pairs of answers allow to conclude, and that it stays true at every look."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.experiments.stored import read_standing, stored_of
from domain.experiments.experiment import Arm, Experiment, Guardrail, Metric, Shadow, Status
from domain.experiments.judging import ArmFigures, Outcome, Verdict, breaches, judged, with_pairs
from domain.experiments.likeness import LikenessSums
from domain.experiments.sequences import Paired, Sums, contrast, paired_contrast, tuned
from domain.experiments.standing import Standing
from domain.experiments.telling import decision_text
from tests.unit.experiments.made import experiment, sums

NOW, MIRROR = Arm(name="now", route="chat"), Shadow(name="mirror", route="small", share=0.25)
Pairs = Sequence[tuple[float, float]]


def tried(metric: str = "cost", *guardrails: Guardrail, arms: Sequence[Arm] = (NOW,)) -> Experiment:
    return experiment(arms=(*arms, MIRROR), metric=metric, guardrails=guardrails, min_samples=50)


def paired(pairs: Pairs) -> Paired:
    """(shadow, control)."""
    return Paired(
        arm=sums(one for one, _ in pairs),
        control=sums(other for _, other in pairs),
        products=sum(one * other for one, other in pairs),
    )


def seen(metric: Metric, pairs: Pairs) -> dict[str, ArmFigures]:
    both = paired(pairs)
    return {
        "mirror": ArmFigures(
            arm="mirror",
            units=len(pairs),
            requests=len(pairs),
            sums={metric: both.arm},
            pairs={metric: both},
            likeness=LikenessSums(),
        )
    }


def requests(count: int, factor: float, seed: int = 1) -> Pairs:
    """Prompts of very different sizes, of which the shadow costs a share, nearly."""
    chance = random.Random(seed)
    sizes = [chance.lognormvariate(8, 1.5) for _ in range(count)]
    return [(size * factor * chance.uniform(0.9, 1.1), size) for size in sizes]


def test_a_pair_says_sooner_what_two_arms_say_late() -> None:
    pairs = requests(60, 0.8)
    r2 = tuned(50, 0.05)
    together = paired_contrast(paired(pairs), 0.05, r2, bounded=False)
    apart = contrast(
        sums(one for one, _ in pairs), sums(other for _, other in pairs), 0.05, r2, bounded=False
    )
    assert together is not None and apart is not None
    assert together.value == pytest.approx(apart.value)
    assert together.high < 0 < apart.high


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), min_size=2, max_size=40))
def test_the_difference_is_that_of_the_means(pairs: list[tuple[float, float]]) -> None:
    found = paired_contrast(paired(pairs), 0.05, tuned(50, 0.05), bounded=False)
    assert found is not None
    mean = sum(one - other for one, other in pairs) / len(pairs)
    assert found.value == pytest.approx(mean, abs=1e-3, rel=1e-6)
    assert found.low <= found.value <= found.high


def test_equal_sides_are_never_found_different_at_any_look() -> None:
    """1000 experiments, each looked at after every tenth pair: at most alpha of them may cry."""
    r2, cried, chance = tuned(50, 0.05), 0, random.Random(7)
    for _ in range(1000):
        count, arm, control, products = 0, [0.0, 0.0], [0.0, 0.0], 0.0
        for _ in range(300):
            one, other = chance.gauss(10, 2), chance.gauss(10, 2)
            count, products = count + 1, products + one * other
            arm[0], arm[1] = arm[0] + one, arm[1] + one * one
            control[0], control[1] = control[0] + other, control[1] + other * other
            if count < 50 or count % 10:
                continue
            pair = Paired(
                arm=Sums(count=count, total=arm[0], squares=arm[1]),
                control=Sums(count=count, total=control[0], squares=control[1]),
                products=products,
            )
            found = paired_contrast(pair, 0.05, r2, bounded=False)
            assert found is not None
            if not found.low <= 0 <= found.high:
                cried += 1
                break
    assert cried <= 50


def test_shares_that_never_differed_still_may() -> None:
    found = paired_contrast(paired([(0.0, 0.0)] * 100), 0.05, tuned(50, 0.05), bounded=True)
    assert found is not None and found.low < -0.02 and found.high > 0.02


def test_a_cheaper_shadow_is_better_and_told_as_what_nobody_has_seen() -> None:
    report = judged(tried(), seen(Metric.COST, requests(200, 0.5)))
    assert (report.outcome, report.winner) == (Outcome.BETTER, "mirror")
    difference = report.arms[1].difference
    assert difference is not None and -0.75 < difference.low < -0.5 < difference.high < -0.25
    text = decision_text(tried(), report)
    assert "would be better" in text and "Nobody has seen its answers yet" in text


def test_nothing_is_concluded_from_few_pairs() -> None:
    report = judged(tried(), seen(Metric.COST, requests(49, 0.5)))
    assert (report.outcome, report.missing) == (Outcome.KEEP_GOING, 1)
    assert report.ratio is None


def test_rows_without_pairs_do_not_count_yet() -> None:
    usage = ArmFigures(arm="mirror", units=900, requests=900, sums={Metric.COST: sums([1.0] * 900)})
    control = ArmFigures(arm="now", units=900, requests=900, sums={Metric.COST: sums([9.0] * 900)})
    report = judged(tried(), {"mirror": usage, "now": control})
    assert (report.outcome, report.missing) == (Outcome.KEEP_GOING, 50)
    assert report.arms[1].figures.requests == 0


def test_scores_come_from_usage_and_are_compared_over_all() -> None:
    usage = ArmFigures(arm="mirror", sums={Metric.QUALITY: sums([0.2, 0.3] * 100)})
    shadow = with_pairs(usage, seen(Metric.COST, requests(100, 0.5))["mirror"])
    control = ArmFigures(arm="now", units=900, sums={Metric.QUALITY: sums([0.8, 0.9] * 100)})
    report = judged(tried("quality"), {"mirror": shadow, "now": control})
    assert report.arms[1].verdict is Verdict.WORSE
    assert report.outcome is Outcome.CONTROL_IS_BETTER


def test_a_shadow_decides_nothing_beside_arms_that_answer() -> None:
    both = tried(arms=(NOW, Arm(name="half", route="small")))
    report = judged(both, seen(Metric.COST, requests(200, 0.5)))
    assert report.arms[2].verdict is Verdict.BETTER
    assert (report.outcome, report.missing) == (Outcome.KEEP_GOING, 50)


def test_a_guardrail_stops_a_shadow_for_what_it_did_to_the_same_requests() -> None:
    rule = Guardrail(metric=Metric.ERRORS, worse_by=0.1)
    watched = tried("cost", rule)
    failing = seen(Metric.ERRORS, [(1.0, 0.0)] * 40 + [(0.0, 0.0)] * 60)
    (breach,) = breaches(watched, failing)
    assert (breach.arm, breach.arm_mean, breach.control_mean) == ("mirror", 0.4, 0.0)
    # The prompts themselves were wrong: both sides failed.
    assert not breaches(watched, seen(Metric.ERRORS, [(1.0, 1.0)] * 40 + [(0.0, 0.0)] * 60))
    assert not breaches(watched, failing, frozenset({"mirror"}))


def test_a_shadow_is_kept_as_it_is() -> None:
    standing = Standing(experiment=tried(), status=Status.DRAFT)
    assert read_standing(stored_of(standing)).experiment == standing.experiment
