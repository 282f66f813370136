"""The way of one line of a batch: which try it is at, where it may go, and what of it is charged already."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from application.accounting import shows_cost_in_usage
from application.job import Job
from application.ports.llm import UpstreamAnswer
from application.ports.wire import FrameWriter
from domain.batch.line import BatchLine
from domain.batch.progress import carried_charge, charge_of
from domain.budgets.posting import Posting, written
from domain.errors import InterchangeError
from domain.money import usd_float

POSTPONED_MIN_S: Final = 0.2
POSTPONED_MAX_S: Final = 30.0
"""How long a line waits when nothing can be sent at the moment; the batch's own end bounds how often."""
REPEATED: Final = "repeated under its idempotency key by the next try, which carries the cost"


class Next(NamedTuple):
    """The line needs another try after `wait_s`."""

    wait_s: float
    begun: bool = True
    """Whether this try's number is used up."""


@dataclass(slots=True)
class Course:
    """Where one line is. Mutable; owned by the task of the line."""

    line: BatchLine
    number: int
    failed: int = 0
    key: str = ""
    pinned: str = ""
    charge: Posting | None = None
    """What hard budgets are charged for the first try under `key`; its repeats are not held again."""
    avoided: set[str] = field(default_factory=set)

    def forget_key(self) -> None:
        """The next try is a new one, and is billed for itself."""
        self.key, self.pinned, self.charge = "", "", None


def carried_by_repeat(job: Job) -> Posting | None:
    """Takes the cost out of the last attempt's row, because its repeat carries it; what hard budgets stay
    charged with until the repeat is billed, None: nothing.

    The charge itself stays: between both tries the provider may have billed what nobody else may spend.
    """
    row = job.attempts[-1]
    ledger = written(charge_of(row)._replace(cost_nano_usd=0)) if row.ledger else ""
    row = job.attempts[-1] = row._replace(
        input_tokens=0, output_tokens=0, cost_nano_usd=0, message=REPEATED, ledger=ledger
    )
    return carried_charge(row)


def postponed_s(error: InterchangeError) -> float:
    """How long a line waits that nobody could take."""
    wait_s = error.retry_after_s if error.retry_after_s is not None else 1.0
    return min(max(wait_s, POSTPONED_MIN_S), POSTPONED_MAX_S)


def unasked(job: Job) -> InterchangeError | None:
    """What is sent for a line is told by its batch's journal, so it shares no call with others; why nobody
    could be asked for it, None: it is kept, or somebody can."""
    course = job.course
    if course is None:
        return None
    course.alone = True
    return None if course.hit is not None else course.unplanned


def is_kept(job: Job) -> bool:
    """Whether its answer is there, so that nothing is sent."""
    return job.course is not None and job.course.hit is not None


def with_cost(frames: FrameWriter, job: Job, answer: UpstreamAnswer) -> bytes:
    """The answer's body, with its cost where the route shows it."""
    cost = job.cost_nano_usd
    if cost is None or not shows_cost_in_usage(job):
        return answer.body
    return frames.with_cost(job.request.dialect, answer.body, usd_float(cost))
