"""Experiments as JSON, the same from the API and from the command line; and the words they are read from."""

from collections.abc import Mapping
from typing import Any

import msgspec

from application.events.writing import moment_text
from application.use_cases.manage_experiments import Results
from domain.errors import InvalidRequest
from domain.experiments.experiment import (
    SHARE_USUAL,
    USD_PER_DAY_USUAL,
    Arm,
    ExperimentTerms,
    Guardrail,
    Metric,
    Shadow,
    terms_of,
)
from domain.experiments.judging import PAIRED, ArmReport, Report
from domain.experiments.likeness import FINDINGS, LikenessSums
from domain.experiments.sequences import Interval
from domain.experiments.standing import Standing
from domain.experiments.telling import (
    decision_text,
    difference_text,
    interval_text,
    likeness_text,
    verdict_text,
)


class ArmBody(msgspec.Struct, forbid_unknown_fields=True):
    """One arm. `weight` is of one that answers, `share` and `usd_per_day` of a shadow."""

    name: str
    route: str
    weight: int | None = None
    shadow: bool = False
    share: float | None = None
    usd_per_day: float | None = None


class GuardrailBody(msgspec.Struct, forbid_unknown_fields=True):
    """One guardrail."""

    metric: Metric
    worse_by: float


class ExperimentBody(msgspec.Struct, forbid_unknown_fields=True):
    """An experiment as it is asked for: the file's keys."""

    name: str
    route: str
    arms: list[ArmBody]
    unit: str = "user"
    metric: str = "cost"
    guardrails: list[GuardrailBody] = []
    min_samples: int = 100
    alpha: float = 0.05
    smallest_effect: float | None = None
    salt: str = ""
    everyone: bool = False


class PromotionBody(msgspec.Struct, forbid_unknown_fields=True):
    """Which arm."""

    arm: str


def asked_terms(body: ExperimentBody) -> ExperimentTerms:
    """The same in the domain's words."""
    return ExperimentTerms(
        name=body.name,
        route=body.route,
        arms=tuple(asked_arm(arm, place) for place, arm in enumerate(body.arms)),
        unit=body.unit,
        metric=body.metric,
        guardrails=tuple(Guardrail(metric=each.metric, worse_by=each.worse_by) for each in body.guardrails),
        min_samples=body.min_samples,
        alpha=body.alpha,
        smallest_effect=body.smallest_effect,
        salt=body.salt,
        everyone=body.everyone,
    )


def asked_arm(said: ArmBody, place: int) -> Arm | Shadow:
    """An arm or a shadow. Raises InvalidRequest for what the other kind has."""
    if not said.shadow:
        for name in ("share", "usd_per_day"):
            if getattr(said, name) is not None:
                raise InvalidRequest(f"{name} is of an arm with `shadow: true`", param=f"arms.{place}.{name}")
        return Arm(name=said.name, route=said.route, weight=1 if said.weight is None else said.weight)
    if said.weight not in (None, 0):
        raise InvalidRequest(
            "a shadow answers nobody and has no weight; say `share`, of the requests it gets a copy of",
            param=f"arms.{place}.weight",
        )
    return Shadow(
        name=said.name,
        route=said.route,
        share=SHARE_USUAL if said.share is None else said.share,
        usd_per_day=USD_PER_DAY_USUAL if said.usd_per_day is None else said.usd_per_day,
    )


def experiment_object(standing: Standing, declared_in: str | None) -> dict[str, Any]:
    """An experiment, whose it is, and how it stands."""
    experiment, words = standing.experiment, terms_of(standing.experiment)
    whole = sum(arm.weight for arm in experiment.arms)
    return {
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "tenant_id": experiment.owner,
        "everyone": experiment.everyone,
        "owner": "file" if experiment.declared else "api",
        "declared_in": declared_in,
        "status": standing.status.value,
        "route": experiment.route,
        "unit": words.unit,
        "metric": words.metric,
        "arms": [
            {
                "name": arm.name,
                "route": arm.route,
                "shadow": isinstance(arm, Shadow),
                "weight": 0 if isinstance(arm, Shadow) else arm.weight,
                "share": arm.share if isinstance(arm, Shadow) else arm.weight / whole,
                "usd_per_day": arm.usd_per_day if isinstance(arm, Shadow) else None,
                "stopped_at": _time(stopped.at_us) if stopped else None,
                "stopped_because": stopped.why if stopped else None,
            }
            for arm in words.arms
            for stopped in [standing.stopped.get(arm.name)]
        ],
        "guardrails": [{"metric": each.metric.value, "worse_by": each.worse_by} for each in words.guardrails],
        "min_samples": words.min_samples,
        "alpha": words.alpha,
        "smallest_effect": words.smallest_effect,
        "salt": words.salt,
        "promoted": standing.promoted or None,
        "started_at": _time(standing.started_at_us),
        "ended_at": _time(standing.ended_at_us),
        "created_at": _time(standing.created_at_us),
        "updated_at": _time(standing.updated_at_us),
    }


def results_object(results: Results) -> dict[str, Any]:
    """The same with what it shows."""
    experiment, report = results.standing.experiment, results.report
    return {
        **experiment_object(results.standing, results.declared_in),
        "missing_routes": list(results.missing_routes),
        "results": {
            "decision": report.outcome.value,
            "decision_text": decision_text(experiment, report),
            "winner": report.winner,
            "units_missing": report.missing,
            "sample_ratio": _ratio(report),
            "arms": [_arm(results, arm) for arm in report.arms],
        },
    }


def _ratio(report: Report) -> Mapping[str, Any] | None:
    if report.ratio is None:
        return None
    return {"p_value": report.ratio.p_value, "off": report.ratio.off}


def _arm(results: Results, report: ArmReport) -> dict[str, Any]:
    experiment, figures = results.standing.experiment, report.figures
    return {
        "name": report.arm.name,
        "shadow": isinstance(report.arm, Shadow),
        "units": figures.units,
        "requests": figures.requests,
        "verdict": report.verdict.value,
        "verdict_text": verdict_text(experiment, report),
        "difference": _interval(report.difference),
        "difference_text": (
            None if report.difference is None else difference_text(experiment.metric, report.difference)
        ),
        "metrics": {
            metric.value: {
                "units": figures.of(metric).count,
                "mean": _mean(metric, figures.of(metric).mean),
                "low": _mean(metric, None if found is None else found.low),
                "high": _mean(metric, None if found is None else found.high),
                "text": None if found is None else interval_text(metric, found),
            }
            for metric in Metric
            for found in [report.means.get(metric)]
        },
        "control_means": {
            metric.value: _mean(metric, figures.pairs[metric].control.mean)
            for metric in PAIRED
            if metric in figures.pairs
        }
        or None,
        "answers": None if figures.likeness is None else _answers(figures.likeness),
    }


def _answers(found: LikenessSums) -> Mapping[str, Any]:
    return {
        "compared": found.compared,
        "same_words_share": found.same_share,
        "words_in_common": found.common_share,
        "length_ratio": found.length_ratio,
        "same_turn_share": found.same_turn_share,
        "findings": {
            name: {
                "shadow": found.shadow_findings.get(name, 0),
                "control": found.control_findings.get(name, 0),
            }
            for name in FINDINGS
        },
        "text": likeness_text(found) or None,
    }


def _mean(metric: Metric, value: float | None) -> float | None:
    """Dollars and milliseconds for reading; shares and scores as they are."""
    if value is None:
        return None
    scale = {Metric.COST: 1e9, Metric.LATENCY: 1e3}.get(metric, 1.0)
    return value / scale


def _interval(interval: Interval | None) -> Mapping[str, float] | None:
    if interval is None:
        return None
    return {"low": interval.low, "value": interval.value, "high": interval.high}


def _time(at_us: int | None) -> str | None:
    return None if at_us is None else moment_text(at_us)
