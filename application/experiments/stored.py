"""Experiments as text and back: one JSON object for what it is, one for how it stands."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from application.ports.experiments import StoredExperiment
from domain.errors import InvalidRequest
from domain.experiments.experiment import (
    Arm,
    Experiment,
    ExperimentTerms,
    Guardrail,
    Metric,
    Shadow,
    Status,
    make_experiment,
    terms_of,
)
from domain.experiments.standing import Standing, StoppedArm


def stored_of(standing: Standing) -> StoredExperiment:
    """As it is written. What the file declares is not written, only how it stands."""
    experiment = standing.experiment
    return StoredExperiment(
        experiment_id=experiment.experiment_id,
        tenant_id=experiment.owner,
        name=experiment.experiment_id if experiment.declared else experiment.name,
        body="" if experiment.declared else _text(_body(experiment)),
        state=_text(_state(standing)),
        revision=standing.revision,
        created_at_us=standing.created_at_us or 0,
        updated_at_us=standing.updated_at_us or 0,
    )


def read_standing(stored: StoredExperiment) -> Standing:
    """One that was made through the API. Raises InvalidRequest for what is none, such as one of a newer
    version."""
    try:
        body: dict[str, Any] = json.loads(stored.body)
        terms = ExperimentTerms(
            **{
                **body,
                "name": stored.name,
                "arms": tuple((Shadow if "share" in arm else Arm)(**arm) for arm in body["arms"]),
                "guardrails": tuple(
                    Guardrail(metric=Metric(each["metric"]), worse_by=each["worse_by"])
                    for each in body["guardrails"]
                ),
            }
        )
        experiment = make_experiment(terms, experiment_id=stored.experiment_id, owner=stored.tenant_id)
        return with_state(Standing(experiment=experiment, status=Status.DRAFT), stored)
    except (InvalidRequest, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequest(
            f"experiment {stored.experiment_id} cannot be read: {error!r}", param="body"
        ) from None


def with_state(declared: Standing, stored: StoredExperiment) -> Standing:
    """How it stands. Whether one of the file runs is the file's to say; which of its arms guardrails stopped
    is not. Raises ValueError, TypeError, KeyError for what cannot be read."""
    state: dict[str, Any] = json.loads(stored.state)
    of_file = declared.experiment.declared
    return Standing(
        experiment=declared.experiment,
        status=declared.status if of_file else Status(state["status"]),
        started_at_us=state["started_at_us"],
        ended_at_us=state["ended_at_us"],
        stopped={arm: StoppedArm(each["at_us"], each["why"]) for arm, each in state["stopped"].items()},
        promoted=state["promoted"],
        created_at_us=None if of_file else stored.created_at_us,
        updated_at_us=stored.updated_at_us,
        revision=stored.revision,
    )


def _body(experiment: Experiment) -> Mapping[str, Any]:
    terms = terms_of(experiment)
    return {
        "route": terms.route,
        "arms": [asdict(arm) for arm in terms.arms],
        "unit": terms.unit,
        "metric": terms.metric,
        "guardrails": [{"metric": each.metric.value, "worse_by": each.worse_by} for each in terms.guardrails],
        "min_samples": terms.min_samples,
        "alpha": terms.alpha,
        "smallest_effect": terms.smallest_effect,
        "salt": terms.salt,
        "everyone": terms.everyone,
    }


def _state(standing: Standing) -> Mapping[str, Any]:
    return {
        "status": standing.status.value,
        "started_at_us": standing.started_at_us,
        "ended_at_us": standing.ended_at_us,
        "stopped": {
            arm: {"at_us": each.at_us, "why": each.why} for arm, each in sorted(standing.stopped.items())
        },
        "promoted": standing.promoted,
    }


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
