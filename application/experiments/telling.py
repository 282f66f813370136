"""What webhooks are told of experiments."""

from application.events.writing import event_of
from application.ports.outbox import OutboxEvent
from domain.events import EXPERIMENT_PROMOTED, EXPERIMENT_STOPPED
from domain.experiments.standing import Standing


def arm_stopped(standing: Standing, arm: str, why: str, at_us: int) -> OutboxEvent:
    """A guardrail stopped an arm: its share goes to control. One event for each arm, whoever noticed."""
    experiment = standing.experiment
    key = f"{EXPERIMENT_STOPPED}:{experiment.experiment_id}:{arm}"
    return event_of(EXPERIMENT_STOPPED, experiment.owner, key, _data(standing, arm, why), at_us)


def experiment_stopped(standing: Standing, by: str, at_us: int) -> OutboxEvent:
    """Somebody ended it."""
    experiment = standing.experiment
    key = f"{EXPERIMENT_STOPPED}:{experiment.experiment_id}:{at_us}"
    data = _data(standing, None, f"stopped by {by}")
    return event_of(EXPERIMENT_STOPPED, experiment.owner, key, data, at_us)


def experiment_promoted(standing: Standing, arm: str, by: str, at_us: int) -> OutboxEvent:
    """An arm's policy is the route's from now on."""
    experiment = standing.experiment
    key = f"{EXPERIMENT_PROMOTED}:{experiment.experiment_id}"
    data = _data(standing, arm, f"promoted by {by}")
    return event_of(EXPERIMENT_PROMOTED, experiment.owner, key, data, at_us)


def _data(standing: Standing, arm: str | None, reason: str) -> dict[str, str | None]:
    experiment = standing.experiment
    return {
        "experiment_id": experiment.experiment_id,
        "name": experiment.name,
        "route": experiment.route,
        "arm": arm,
        "reason": reason,
    }
