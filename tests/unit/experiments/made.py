"""Experiments and figures that tests of this folder share."""

from collections.abc import Iterable, Sequence

from domain.experiments.experiment import (
    Arm,
    Experiment,
    ExperimentTerms,
    Guardrail,
    Metric,
    Shadow,
    make_experiment,
)
from domain.experiments.judging import ArmFigures
from domain.experiments.sequences import Sums


def experiment(
    *,
    arms: Sequence[Arm | Shadow] = (Arm(name="now", route="chat"), Arm(name="cheap", route="small")),
    metric: str = "cost",
    guardrails: Sequence[Guardrail] = (),
    min_samples: int = 100,
    unit: str = "user",
    owner: str = "acme",
    everyone: bool = False,
    experiment_id: str = "exp_1",
) -> Experiment:
    terms = ExperimentTerms(
        name="cheaper",
        route="chat",
        arms=arms,
        metric=metric,
        guardrails=guardrails,
        min_samples=min_samples,
        unit=unit,
        everyone=everyone,
    )
    return make_experiment(terms, experiment_id=experiment_id, owner=owner)


def sums(values: Iterable[float]) -> Sums:
    kept = list(values)
    return Sums(count=len(kept), total=sum(kept), squares=sum(each * each for each in kept))


def figures(arm: str, metric: Metric, values: Iterable[float]) -> ArmFigures:
    found = sums(values)
    return ArmFigures(arm=arm, units=found.count, requests=found.count, sums={metric: found})
