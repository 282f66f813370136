"""A batch and the way it goes from a file of requests to a file of answers."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple

from domain.batch.settings import BatchSettings

PROBLEMS_MAX: Final = 100
"""Problems kept of one batch; the first ones tell enough."""


class BatchStatus(Enum):
    """OpenAI's words."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in _FINAL


_FINAL: Final = frozenset(
    {BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED}
)
FINAL_STATUSES: Final = tuple(sorted(status.value for status in _FINAL))

_NEXT: Final[dict[BatchStatus, frozenset[BatchStatus]]] = {
    BatchStatus.VALIDATING: frozenset({BatchStatus.IN_PROGRESS, BatchStatus.CANCELLED} | _FINAL),
    BatchStatus.IN_PROGRESS: frozenset({BatchStatus.FINALIZING, BatchStatus.FAILED}),
    BatchStatus.FINALIZING: _FINAL,
}


class StopReason(Enum):
    """Why a batch ends before all its lines were asked."""

    CANCELLED = "batch_cancelled"
    EXPIRED = "batch_expired"
    BUDGET = "batch_budget_exceeded"
    KEY_REVOKED = "batch_key_revoked"
    PROVIDER = "provider_batch_failed"


STATUS_AFTER_STOP: Final[dict[StopReason, BatchStatus]] = {
    StopReason.CANCELLED: BatchStatus.CANCELLED,
    StopReason.EXPIRED: BatchStatus.EXPIRED,
    StopReason.BUDGET: BatchStatus.FAILED,
    StopReason.KEY_REVOKED: BatchStatus.FAILED,
    StopReason.PROVIDER: BatchStatus.FAILED,
}


class LineCounts(NamedTuple):
    """How many lines there are, and how many have ended which way."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class BatchProblem(NamedTuple):
    """Something wrong with a batch; `line` counts from 1."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class Moments(NamedTuple):
    """When a batch reached each status, in UTC epoch microseconds; None: not yet, or never."""

    in_progress: int | None = None
    finalizing: int | None = None
    completed: int | None = None
    failed: int | None = None
    expired: int | None = None
    cancelling: int | None = None
    cancelled: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is known about a batch. Times are UTC epoch microseconds, money nano-dollars.

    `fence` rises with every process that takes the batch over: whoever holds a lower one has lost it.
    `provider_batch` is the provider's own batch that answers the lines, once there is one.
    """

    batch_id: str
    tenant_id: str
    key_id: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: BatchStatus
    created_at_us: int
    expires_at_us: int
    metadata: tuple[tuple[str, str], ...] = ()
    settings: BatchSettings = BatchSettings()  # noqa: RUF009 - an immutable value
    moments: Moments = Moments()  # noqa: RUF009 - an immutable value
    counts: LineCounts = LineCounts()  # noqa: RUF009 - an immutable value
    problems: tuple[BatchProblem, ...] = ()
    stop: StopReason | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    cost_nano_usd: int = 0
    """What is known of the bill so far."""
    uncosted: int = 0
    """Tries whose cost is unknown."""
    unresolved: int = 0
    """Tries that may have been billed, though nobody knows whether they were."""
    provider_batch: str = ""
    answered_by: str = ""
    """Id of the target whose provider's batch API answers it; empty: Interchange asks line by line."""
    fence: int = 0
    waiting_for: str = ""
    """Name of the budget without room that its lines wait for; empty: none."""

    @property
    def shown_status(self) -> BatchStatus:
        """What a caller sees: a cancellation that was asked for shows at once."""
        if self.moments.cancelling is not None and not self.status.final:
            return BatchStatus.CANCELLING
        return self.status

    def moved(self, to: BatchStatus, at_us: int) -> "Batch":
        """The batch in its next status.

        Raises:
            ValueError: that status cannot follow.
        """
        if to not in _NEXT.get(self.status, ()):
            raise ValueError(f"a batch does not go from {self.status.value} to {to.value}")
        return replace(self, status=to, moments=self.moments._replace(**{to.value: at_us}))

    def with_problem(self, problem: BatchProblem) -> "Batch":
        """The batch with one more problem, as long as there is room."""
        if len(self.problems) >= PROBLEMS_MAX:
            return self
        return replace(self, problems=(*self.problems, problem))


def final_status(stop: StopReason | None) -> BatchStatus:
    """How a batch ends whose lines have all been dealt with."""
    return BatchStatus.COMPLETED if stop is None else STATUS_AFTER_STOP[stop]
