"""What a policy would have brought, from decisions of another: weighed outcomes, with and without a model.

With n decisions, outcome r, the chance p that the target had and the chance q that the policy gives it,
w = min(q / p, `WEIGHT_MAX`):

    IPS    sum(w r) / n                                       Horvitz and Thompson 1952
    SNIPS  sum(w r) / sum(w)                                  Swaminathan and Joachims, NeurIPS 2015
    DR     sum(m(policy) + w (r - m(target))) / n             Dudik, Langford and Li, ICML 2011

m is the reward model, m(policy) its mean over the policy's targets. Outcomes that not every request has (the
latency of what succeeded, a score) are ratios of two such sums: of the outcome, and of having one.

Kish's effective sample size is sum(W)^2 / sum(W^2) over units, W the weights of a unit together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from domain.backtest.intervals import by_unit, difference, interval, standard_error
from domain.backtest.record import Decision
from domain.backtest.reward_model import RewardModel, fold_of
from domain.experiments.experiment import Metric
from domain.experiments.sequences import Interval

WEIGHT_MAX: Final = 20.0
"""Larger weights are clipped: some bias, which is told, for much less noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How well the decisions tell of the policy.

    `effective` and `heaviest` (the share of the heaviest unit) are of units. `coverage` is the share of the
    policy's choices that fall on targets that were tried. `clipped` is the share of weight that was cut off.
    `mean_weight` should be `coverage`; `mean_weight_error` is the standard error of their difference.
    """

    units: int
    effective: float
    heaviest: float
    coverage: float
    clipped: float
    mean_weight: float
    mean_weight_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Of one metric. `ips`: None where not every decision has a value. `change` is of `dr` less `logged`."""

    values: int
    effective: float
    logged: Interval
    ips: float | None
    snips: Interval
    dr: Interval
    change: Interval


class _Ratio(NamedTuple):
    """A ratio of two means, and what each decision adds to it."""

    value: float
    influences: list[float]


def weights_of(decisions: Sequence[Decision]) -> list[float]:
    """Clipped."""
    return [min(WEIGHT_MAX, each.policy.get(each.target, 0.0) / each.propensity) for each in decisions]


def effective_size(weights: Sequence[float]) -> float:
    """Kish's: how many evenly weighed ones would tell as much."""
    squares = sum(weight * weight for weight in weights)
    return sum(weights) ** 2 / squares if squares > 0.0 else 0.0


def overlap_of(decisions: Sequence[Decision]) -> Overlap:
    """Of at least one decision."""
    weights = weights_of(decisions)
    units = [each.unit for each in decisions]
    together = by_unit(units, weights)
    tried = {each.target for each in decisions}
    covered = [sum(chance for target, chance in each.policy.items() if target in tried) for each in decisions]
    whole = sum(each.policy.get(each.target, 0.0) / each.propensity for each in decisions)
    total, count = sum(weights), len(decisions)
    gaps = [weight - each for weight, each in zip(weights, covered, strict=True)]
    return Overlap(
        units=len(together),
        effective=effective_size(together),
        heaviest=max(together) / total if total > 0.0 else 1.0,
        coverage=sum(covered) / count,
        clipped=1.0 - total / whole if whole > 0.0 else 0.0,
        mean_weight=total / count,
        mean_weight_error=standard_error(units, gaps),
    )


def estimated(decisions: Sequence[Decision], metric: Metric) -> Estimates | None:
    """None: no decision that the policy would make has a value."""
    weights = weights_of(decisions)
    units = [each.unit for each in decisions]
    found = [each.record.value(metric) for each in decisions]
    has = [0.0 if value is None else 1.0 for value in found]
    values = [value or 0.0 for value in found]
    weighed = [weight * one for weight, one in zip(weights, has, strict=True)]
    if sum(weighed) <= 0.0:
        return None
    effective = effective_size(by_unit(units, weighed))
    logged = _ratio(values, has)
    snips = _ratio([w * v for w, v in zip(weights, values, strict=True)], weighed)
    robust = _robust(decisions, weights, found)
    if robust is None:
        return None

    def around(ratio: _Ratio, size: float) -> Interval:
        error = standard_error(units, ratio.influences)
        return interval(ratio.value, error, size, bounded=metric.bounded)

    dr, before = around(robust, effective), around(logged, effective_size(by_unit(units, has)))
    change = [one - other for one, other in zip(robust.influences, logged.influences, strict=True)]
    return Estimates(
        values=int(sum(has)),
        effective=effective,
        logged=before,
        ips=snips.value * sum(weighed) / len(decisions) if all(has) else None,
        snips=around(snips, effective),
        dr=dr,
        change=difference(dr, before, standard_error(units, change), effective, bounded=metric.bounded),
    )


def _ratio(parts: Sequence[float], wholes: Sequence[float]) -> _Ratio:
    whole = sum(wholes)
    value = sum(parts) / whole
    mean = whole / len(wholes)
    return _Ratio(value, [(part - value * of) / mean for part, of in zip(parts, wholes, strict=True)])


def _robust(
    decisions: Sequence[Decision], weights: Sequence[float], found: Sequence[float | None]
) -> _Ratio | None:
    """None: corrected by the weights, less than nobody would have a value."""
    folds = [fold_of(each.unit) for each in decisions]
    seen = list(zip(folds, decisions, found, strict=True))
    model = RewardModel((f, d.target, d.context, value) for f, d, value in seen if value is not None)
    everybody = all(value is not None for value in found)
    having = RewardModel(
        () if everybody else ((f, d.target, d.context, float(value is not None)) for f, d, value in seen)
    )
    tops: list[float] = []
    bottoms: list[float] = []
    for (fold, each, value), weight in zip(seen, weights, strict=True):
        top = bottom = 0.0
        for target, chance in each.policy.items():
            share = 1.0 if everybody else having.expected(fold, target, each.context)
            top += chance * share * model.expected(fold, target, each.context)
            bottom += chance * share
        share = 1.0 if everybody else having.expected(fold, each.target, each.context)
        expected = share * model.expected(fold, each.target, each.context)
        tops.append(top + weight * ((value or 0.0) - expected))
        bottoms.append(bottom + weight * (float(value is not None) - share))
    return _ratio(tops, bottoms) if sum(bottoms) > 0.0 else None
