"""A recorded request as a backtest reads it, and the decision that it tells of."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from domain.experiments.experiment import Metric

Chances = Mapping[str, float]
"""By target id, the chance that a policy chooses it first; they add up to 1, or to 0 where nobody can."""
Context = tuple[str, int]
"""Kind of task and size of the request's body, as a band."""

LEFT: Final = "cancelled"
"""The outcome of a request whose caller left before its end."""


class Record(NamedTuple):
    """Times are epoch microseconds. `first` is the id of the target that was to be asked first. `score` is
    the mean of what people and judges said of the answer; None: nobody did."""

    request_id: str
    user_id: str
    session_id: str
    started_at_us: int
    duration_us: int
    outcome: str
    strategy: str
    first: str
    propensity: float | None
    candidates: int
    fallbacks: int
    affinity: str
    task: str
    request_bytes: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    experiment: str
    arm: str
    demands: str
    score: float | None

    def value(self, metric: Metric) -> float | None:
        """Nano-dollars, microseconds of what succeeded, a score or 1 for a failure; None: it has none, as
        nobody knows whether a request would have failed whose caller left."""
        if metric is Metric.COST:
            return None if self.cost_nano_usd is None else float(self.cost_nano_usd)
        if metric is Metric.LATENCY:
            return float(self.duration_us) if self.outcome == "ok" else None
        if metric is Metric.ERRORS:
            return None if self.outcome == LEFT else float(self.outcome != "ok")
        return self.score


class Decision(NamedTuple):
    """One that counts. `unit` is what was drawn together: decisions of one unit are no independent witnesses.
    `propensity` is above 0; `policy` are the other policy's chances in the same context."""

    unit: str
    target: str
    propensity: float
    policy: Chances
    context: Context
    record: Record


def band_of(request_bytes: int) -> int:
    """Sizes that differ less than fourfold are alike."""
    return max(0, request_bytes).bit_length() // 2
