"""How an experiment stands: whether it runs, and which of its arms were stopped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.experiments.experiment import Experiment, Status


class StoppedArm(NamedTuple):
    """An arm whose share goes to control. `why` is the guardrail's evidence, in words and figures."""

    at_us: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An experiment with its state. Times are epoch microseconds; None: not yet, or (of the file's) not told.

    `revision` counts changes of the state, 0 for one that was never written. `promoted` is the arm whose
    policy the route got.
    """

    experiment: Experiment
    status: Status
    started_at_us: int | None = None
    ended_at_us: int | None = None
    stopped: Mapping[str, StoppedArm] = field(default_factory=dict)
    promoted: str = ""
    created_at_us: int | None = None
    updated_at_us: int | None = None
    revision: int = 0

    @property
    def running(self) -> bool:
        return self.status is Status.RUNNING

    def concerns(self, tenant_id: str) -> bool:
        """Whether requests of this tenant take part."""
        return self.experiment.everyone or self.experiment.owner == tenant_id


def overlap(one: Standing, other: Standing) -> bool:
    """Whether two running experiments would want the same requests: of two on a route, nobody could tell
    which made the difference."""
    mine, theirs = one.experiment, other.experiment
    return (
        mine.experiment_id != theirs.experiment_id
        and mine.route == theirs.route
        and (mine.everyone or theirs.everyone or mine.owner == theirs.owner)
    )
