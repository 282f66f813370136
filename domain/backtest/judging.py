"""Whether anything may be concluded, and what.

Estimates of what was hardly ever tried look like any others. So each refusal is a rule with a floor that is
stated, and one that is met for one metric keeps that metric from being concluded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from domain.backtest.estimators import Estimates, Overlap, estimated, overlap_of
from domain.backtest.reading import LeftOut, Reading
from domain.experiments.experiment import Metric
from domain.experiments.sequences import Interval

EFFECTIVE_MIN: Final = 100.0
"""Units that the estimate has to be worth."""
HEAVIEST_MAX: Final = 0.05
"""Of all weight, what one unit may have."""
COVERAGE_MIN: Final = 0.99
"""Of the policy's choices, those that fall on targets that were tried."""
CLIPPED_MAX: Final = 0.01
LEFT_OUT_MAX: Final = 0.2
"""Of all requests, those that are in no estimate."""
FELL_OVER_MAX: Final = 0.1
"""Of all decisions, those that another target had to answer for: under the policy it may be another one."""
APART_BY: Final = 3.29 / 1.96
"""Intervals of 95 % as those of 99.9 %: estimates that only missed each other by chance are no objection."""
ROUNDING: Final = 1e-9
MEAN_WEIGHT_OFF_MAX: Final = 0.02
MEAN_WEIGHT_ERRORS: Final = 4.0
"""How many standard errors the mean weight may be off what it has to be, beyond the least."""


class Refusal(Enum):
    """Why nothing is concluded."""

    NO_REQUESTS = "no_requests"
    NO_DRAWS = "no_draws"
    LEFT_OUT = "left_out"
    LOW_COVERAGE = "low_coverage"
    LOW_EFFECTIVE_SAMPLE = "low_effective_sample"
    HEAVY_WEIGHT = "heavy_weight"
    CLIPPED = "clipped"
    WRONG_PROPENSITIES = "wrong_propensities"
    FELL_OVER = "fell_over"
    NO_VALUES = "no_values"
    DISAGREEMENT = "disagreement"


class Verdict(Enum):
    """What the change is, with 95 % confidence."""

    LOWER = "lower"
    HIGHER = "higher"
    UNCLEAR = "unclear"
    """It may be either."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """`why` says what was found, what would have been enough, and what helps."""

    refusal: Refusal
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Of one metric; `estimates` that could be made are there also where nothing is concluded from them."""

    metric: Metric
    verdict: Verdict
    estimates: Estimates | None
    objections: tuple[Objection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestReport:
    """`overlap` is None without decisions."""

    reading: Reading
    overlap: Overlap | None
    judgements: tuple[Judgement, ...]

    @property
    def concluded(self) -> bool:
        """Whether every metric was."""
        return all(each.verdict is not Verdict.REFUSED for each in self.judgements)


def judge(reading: Reading, metrics: Sequence[Metric]) -> BacktestReport:
    """What these decisions tell of the policy, by each of the metrics."""
    decisions = reading.decisions
    if not decisions or not reading.drawn:
        objections = (_nothing_drawn(reading),)
        refused = tuple(_refused(metric, objections) for metric in metrics)
        return BacktestReport(
            reading=reading, overlap=overlap_of(decisions) if decisions else None, judgements=refused
        )
    overlap = overlap_of(decisions)
    if overlap.coverage < COVERAGE_MIN and not overlap.effective:
        # All other refusals would follow from this one alone.
        refused = tuple(_refused(metric, (_untried(overlap),)) for metric in metrics)
        return BacktestReport(reading=reading, overlap=overlap, judgements=refused)
    general = tuple(_objections(reading, overlap))
    return BacktestReport(
        reading=reading,
        overlap=overlap,
        judgements=tuple(_judged(reading, metric, general) for metric in metrics),
    )


def _judged(reading: Reading, metric: Metric, general: tuple[Objection, ...]) -> Judgement:
    found = estimated(reading.decisions, metric)
    if found is None:
        why = f"no decision that the policy would make has a value of {metric.value}"
        return _refused(metric, (*general, Objection(refusal=Refusal.NO_VALUES, why=why)))
    objections = list(general)
    known = {each.refusal for each in general}
    if found.effective < EFFECTIVE_MIN and Refusal.LOW_EFFECTIVE_SAMPLE not in known:
        objections.append(_few(found.effective, f" with a value of {metric.value}"))
    if _apart(found.snips, found.dr):
        why = "the estimates with and without the model lie apart: one of them is wrong"
        objections.append(Objection(refusal=Refusal.DISAGREEMENT, why=why))
    if objections:
        return Judgement(
            metric=metric, verdict=Verdict.REFUSED, estimates=found, objections=tuple(objections)
        )
    change = found.change
    verdict = Verdict.LOWER if change.high < 0 else Verdict.HIGHER if change.low > 0 else Verdict.UNCLEAR
    return Judgement(metric=metric, verdict=verdict, estimates=found, objections=())


def _objections(reading: Reading, overlap: Overlap) -> list[Objection]:
    """Of all metrics alike."""
    found: list[Objection] = []

    def object_to(refusal: Refusal, why: str) -> None:
        found.append(Objection(refusal=refusal, why=why))

    left_out = reading.left_out.total() / reading.requests
    if left_out > LEFT_OUT_MAX:
        object_to(
            Refusal.LEFT_OUT,
            f"{left_out:.0%} of the requests are in no estimate ({_reasons(reading)}); "
            f"at most {LEFT_OUT_MAX:.0%} may be",
        )
    if overlap.coverage < COVERAGE_MIN:
        found.append(_untried(overlap))
    if overlap.effective < EFFECTIVE_MIN:
        found.append(_few(overlap.effective))
    if overlap.heaviest > HEAVIEST_MAX:
        object_to(
            Refusal.HEAVY_WEIGHT,
            f"one unit has {overlap.heaviest:.1%} of all weight; at most {HEAVIEST_MAX:.0%} is allowed",
        )
    if overlap.clipped > CLIPPED_MAX:
        object_to(
            Refusal.CLIPPED,
            f"{overlap.clipped:.1%} of the weight is clipped; at most {CLIPPED_MAX:.0%} may be: the policy "
            "prefers what was chosen too rarely",
        )
    allowed = max(MEAN_WEIGHT_OFF_MAX, MEAN_WEIGHT_ERRORS * overlap.mean_weight_error)
    if abs(overlap.mean_weight - overlap.coverage) > allowed:
        object_to(
            Refusal.WRONG_PROPENSITIES,
            f"weights are {overlap.mean_weight:.3f} on average and should be {overlap.coverage:.3f}: what "
            "could be chosen was not what is recorded, for example while a target was out",
        )
    fell_over = reading.fell_over / len(reading.decisions)
    if fell_over > FELL_OVER_MAX:
        object_to(
            Refusal.FELL_OVER,
            f"{fell_over:.0%} of the decisions were answered by another target than the first; at most "
            f"{FELL_OVER_MAX:.0%} may be, because under the policy it may be yet another one",
        )
    return found


def _nothing_drawn(reading: Reading) -> Objection:
    if not reading.requests:
        return Objection(refusal=Refusal.NO_REQUESTS, why="nobody asked this route in this time")
    return Objection(
        refusal=Refusal.NO_DRAWS,
        why=f"nothing was drawn in {reading.requests} requests ({_reasons(reading)}): what was never tried "
        "tells nothing of another policy. Share the route out by weight for a while, or run an experiment",
    )


def _apart(one: Interval, other: Interval) -> bool:
    """Whether two estimates differ by more than chance explains but once in a thousand times, as if they were
    independent, which is cautious; noise in the last digits does not count."""
    below, above = sorted((one, other), key=lambda each: each.value)
    noise = ROUNDING * max(abs(one.value), abs(other.value))
    reach = math.hypot(below.high - below.value, above.value - above.low) * APART_BY
    return above.value - below.value > reach + noise


def _untried(overlap: Overlap) -> Objection:
    return Objection(
        refusal=Refusal.LOW_COVERAGE,
        why=f"{1 - overlap.coverage:.1%} of the policy's choices fall on targets that were never tried; "
        f"at most {1 - COVERAGE_MIN:.0%} may. Give them a small share of the route first",
    )


def _few(effective: float, what: str = "") -> Objection:
    return Objection(
        refusal=Refusal.LOW_EFFECTIVE_SAMPLE,
        why=f"the decisions{what} are worth {effective:.0f} units; at least {EFFECTIVE_MIN:.0f} are needed. "
        "Take a longer time, or a policy nearer to what was recorded",
    )


def _refused(metric: Metric, objections: tuple[Objection, ...]) -> Judgement:
    return Judgement(metric=metric, verdict=Verdict.REFUSED, estimates=None, objections=objections)


def _reasons(reading: Reading) -> str:
    told = [f"{reading.left_out[why]} {why.value}" for why in LeftOut if reading.left_out[why]]
    return ", ".join(told) or "none left out"
