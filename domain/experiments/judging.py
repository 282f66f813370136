"""What follows from what arms did: a verdict for each arm, a decision, and whom guardrails stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple

from domain.experiments.experiment import Arm, Experiment, Guardrail, Metric, Shadow
from domain.experiments.likeness import LikenessSums
from domain.experiments.ratio import SampleRatio, sample_ratio
from domain.experiments.sequences import (
    Interval,
    Paired,
    Sums,
    contrast,
    mean_interval,
    paired_contrast,
    tuned,
)

NO_SUMS: Final = Sums()
NO_PAIRS: Final = Paired()
PAIRED: Final = (Metric.COST, Metric.LATENCY, Metric.ERRORS)
"""What a shadow is compared by over the same requests. Scores are given to single answers: few requests have
them for both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """What was counted of one arm. `units` are those with any request. `pairs` and `likeness`: of a shadow,
    beside what control made of the same requests."""

    arm: str
    units: int = 0
    requests: int = 0
    sums: Mapping[Metric, Sums] = field(default_factory=dict)
    pairs: Mapping[Metric, Paired] = field(default_factory=dict)
    likeness: LikenessSums | None = None

    def of(self, metric: Metric) -> Sums:
        return self.sums.get(metric, NO_SUMS)


class Verdict(Enum):
    """Of an arm beside control."""

    CONTROL = "control"
    UNDECIDED = "undecided"
    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    STOPPED = "stopped"


class Outcome(Enum):
    """Of the experiment."""

    KEEP_GOING = "keep_going"
    BETTER = "better"
    CONTROL_IS_BETTER = "control_is_better"
    NO_DIFFERENCE = "no_difference"
    STOPPED = "stopped_by_guardrail"
    SPLIT_IS_OFF = "split_is_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReport:
    """One arm: its means, and how the primary metric differs from control's.

    `difference` is of cost and latency a share of control's mean, else points; below 0 is less.
    """

    arm: Arm | Shadow
    figures: ArmFigures
    means: Mapping[Metric, Interval]
    difference: Interval | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole experiment. `missing` units are still needed, in the arm that has the fewest, before anything
    is concluded. `winner` is the arm to promote; None: there is none."""

    arms: tuple[ArmReport, ...]
    ratio: SampleRatio | None
    outcome: Outcome
    winner: str | None
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A guardrail that an arm broke, with what showed it. `at_least` is how much worse it is for sure."""

    arm: str
    guardrail: Guardrail
    arm_mean: float
    control_mean: float
    arm_units: int
    control_units: int
    at_least: float


def judged(
    experiment: Experiment, figures: Mapping[str, ArmFigures], stopped: frozenset[str] = frozenset()
) -> Report:
    """What may be concluded now, at however many looks. Several arms share `alpha` evenly (Bonferroni)."""
    control = figures.get(experiment.control.name) or ArmFigures(arm=experiment.control.name)
    compared = len(experiment.compared)
    reports = tuple(
        _arm_report(
            experiment,
            arm,
            _counted(arm, figures),
            control,
            experiment.alpha / compared,
            stopped=arm.name in stopped,
        )
        for arm in (experiment.control, *experiment.compared)
    )
    live = [each for each in reports if each.verdict is not Verdict.STOPPED]
    answering = [(each.arm.weight, each.figures.units) for each in live if isinstance(each.arm, Arm)]
    ratio = sample_ratio([weight for weight, _ in answering], [units for _, units in answering])
    deciding = _deciding(experiment, live)
    outcome, winner = _decided(experiment, deciding)
    if ratio is not None and ratio.off:
        outcome, winner = Outcome.SPLIT_IS_OFF, None
    counts = [_compared(each.arm, experiment.metric, each.figures, control).least for each in deciding]
    fewest = min(counts, default=control.of(experiment.metric).count)
    return Report(
        arms=reports,
        ratio=ratio,
        outcome=outcome,
        winner=winner,
        missing=max(0, experiment.min_samples - fewest),
    )


def with_pairs(usage: ArmFigures | None, shadow: ArmFigures) -> ArmFigures:
    """A shadow's figures: what pairs tell of it, and the scores that its usage rows tell of."""
    scored = NO_SUMS if usage is None else usage.of(Metric.QUALITY)
    return replace(shadow, sums={**shadow.sums, Metric.QUALITY: scored})


def _counted(arm: Arm | Shadow, figures: Mapping[str, ArmFigures]) -> ArmFigures:
    """What counts of an arm. A shadow's requests count as soon as they are compared, not before."""
    nothing = ArmFigures(arm=arm.name)
    found = figures.get(arm.name)
    if found is None:
        return nothing
    return with_pairs(found, nothing) if isinstance(arm, Shadow) and found.likeness is None else found


def breaches(
    experiment: Experiment, figures: Mapping[str, ArmFigures], stopped: frozenset[str] = frozenset()
) -> tuple[Breach, ...]:
    """Arms that are worse than control by more than a guardrail allows, for sure. All guardrails of all arms
    share `alpha` evenly, so that a harmless experiment loses any arm with probability `alpha` at most."""
    if not experiment.guardrails:
        return ()
    control = figures.get(experiment.control.name) or ArmFigures(arm=experiment.control.name)
    alpha = experiment.alpha / (len(experiment.compared) * len(experiment.guardrails))
    found: list[Breach] = []
    for arm in experiment.compared:
        mine = figures.get(arm.name)
        if mine is None or arm.name in stopped:
            continue
        for guardrail in experiment.guardrails:
            both = _compared(arm, guardrail.metric, mine, control)
            breach = _breach(experiment, guardrail, arm.name, both, alpha)
            if breach is not None:
                found.append(breach)
                break
    return tuple(found)


class _Compared(NamedTuple):
    """One metric of an arm beside control's; `paired` where both are of the same requests."""

    arm: Sums
    control: Sums
    paired: Paired | None

    @property
    def least(self) -> int:
        """Units, on the side that has fewer."""
        return min(self.arm.count, self.control.count)

    def contrast(self, metric: Metric, alpha: float, r2: float, factor: float = 1.0) -> Interval | None:
        if self.paired is not None:
            return paired_contrast(self.paired, alpha, r2, bounded=metric.bounded, factor=factor)
        return contrast(self.arm, self.control, alpha, r2, bounded=metric.bounded, factor=factor)


def _compared(arm: Arm | Shadow, metric: Metric, mine: ArmFigures, control: ArmFigures) -> _Compared:
    if isinstance(arm, Arm) or metric not in PAIRED:
        return _Compared(mine.of(metric), control.of(metric), None)
    pair = mine.pairs.get(metric, NO_PAIRS)
    return _Compared(pair.arm, pair.control, pair)


def _deciding(experiment: Experiment, live: Sequence[ArmReport]) -> list[ArmReport]:
    """Who the decision is about: arms that answer, where there are any beside control; else shadows."""
    answers = len(experiment.arms) > 1
    return [
        each
        for each in live
        if each.verdict is not Verdict.CONTROL and isinstance(each.arm, Arm if answers else Shadow)
    ]


def _breach(
    experiment: Experiment, guardrail: Guardrail, arm: str, both: _Compared, alpha: float
) -> Breach | None:
    metric = guardrail.metric
    arm_sums, control_sums = both.arm, both.control
    if both.least < experiment.min_samples:
        return None
    sign = -1.0 if metric.more_is_better else 1.0
    factor = 1.0 + guardrail.worse_by if metric.relative else 1.0
    allowed = 0.0 if metric.relative else guardrail.worse_by
    r2 = tuned(experiment.min_samples, alpha)
    beyond = both.contrast(metric, alpha, r2, factor)
    arm_mean, control_mean = arm_sums.mean, control_sums.mean
    if beyond is None or arm_mean is None or control_mean is None:
        return None
    surely = beyond.low if sign > 0 else -beyond.high
    if surely <= allowed:
        return None
    at_least = guardrail.worse_by + surely / control_mean if metric.relative and control_mean else surely
    return Breach(
        arm=arm,
        guardrail=guardrail,
        arm_mean=arm_mean,
        control_mean=control_mean,
        arm_units=arm_sums.count,
        control_units=control_sums.count,
        at_least=at_least,
    )


def _arm_report(
    experiment: Experiment,
    arm: Arm | Shadow,
    mine: ArmFigures,
    control: ArmFigures,
    alpha: float,
    *,
    stopped: bool,
) -> ArmReport:
    r2 = tuned(experiment.min_samples, alpha)
    means = {
        metric: interval
        for metric in Metric
        if (interval := mean_interval(mine.of(metric), alpha, r2, bounded=metric.bounded)) is not None
    }
    is_control = arm.name == experiment.control.name
    both = _compared(arm, experiment.metric, mine, control)
    difference = None if is_control else _difference(experiment, both, alpha, r2)
    verdict = Verdict.CONTROL if is_control else _verdict(experiment, both, difference)
    return ArmReport(
        arm=arm,
        figures=mine,
        means=means,
        difference=difference,
        verdict=Verdict.STOPPED if stopped else verdict,
    )


def _difference(experiment: Experiment, both: _Compared, alpha: float, r2: float) -> Interval | None:
    metric = experiment.metric
    found = both.contrast(metric, alpha, r2)
    if found is None or not metric.relative:
        return found
    # A share of control's mean as it is seen: that this mean is itself uncertain is not in the ends, but
    # whether they contain 0 is the same question with and without it.
    mean = both.control.mean
    if not mean:
        return None if found.value else Interval(low=0.0, value=0.0, high=0.0)
    # Neither cost nor latency is ever below nothing, so no arm's is below control's by more than all of it.
    return Interval(low=max(-1.0, found.low / mean), value=found.value / mean, high=found.high / mean)


def _verdict(experiment: Experiment, both: _Compared, difference: Interval | None) -> Verdict:
    metric = experiment.metric
    if difference is None or both.least < experiment.min_samples:
        return Verdict.UNDECIDED
    within = experiment.smallest_effect
    if -within <= difference.low and difference.high <= within:
        return Verdict.SAME
    if difference.low <= 0.0 <= difference.high:
        return Verdict.UNDECIDED
    return Verdict.BETTER if (difference.value > 0) == metric.more_is_better else Verdict.WORSE


def _decided(experiment: Experiment, live: Sequence[ArmReport]) -> tuple[Outcome, str | None]:
    if not live:
        return Outcome.STOPPED, None
    sign = 1.0 if experiment.metric.more_is_better else -1.0
    better = [each for each in live if each.verdict is Verdict.BETTER and each.difference is not None]
    if better:
        best = max(better, key=lambda each: sign * (each.difference.value if each.difference else 0.0))
        return Outcome.BETTER, best.arm.name
    verdicts = {each.verdict for each in live}
    if verdicts == {Verdict.WORSE}:
        return Outcome.CONTROL_IS_BETTER, experiment.control.name
    if verdicts <= {Verdict.WORSE, Verdict.SAME}:
        return Outcome.NO_DIFFERENCE, None
    return Outcome.KEEP_GOING, None
