"""What a batch's journal says about its lines: finished, in doubt, or untouched.

Folded from records in the order they were written, so a process that takes a batch over knows exactly what
the one before it had begun.
"""

from dataclasses import dataclass
from typing import NamedTuple

from domain.analytics.event import AttemptEvent, RequestEvent
from domain.budgets.posting import HoldOutcome, Posting, read_posting


class Intent(NamedTuple):
    """Written before a try is sent: from here on it may be billed."""

    line: int
    try_number: int
    key: str
    """The idempotency key that goes with it."""
    target_id: str
    bound_nano_usd: int | None


class TryEnded(NamedTuple):
    """Written in one piece with the try's usage, before that is recorded anywhere else.

    `final`: the line is finished. `answer` is its body for the result file; without one, `code` and
    `message` say why there is none. `event` None: nothing was sent. `key_goes_on`: the next try repeats
    this one under its key.
    """

    line: int
    try_number: int
    custom_id: str
    final: bool
    ok: bool
    status: int
    request_id: str
    answer: bytes | None
    code: str
    message: str
    event: RequestEvent | None
    key_goes_on: bool = False


Record = Intent | TryEnded


@dataclass(slots=True)
class LineState:
    """A line that was begun and is not finished."""

    tries: int = 0
    """Tries begun so far; the next one has this number."""
    failed: int = 0
    key: str = ""
    """Of a try whose outcome nobody knows; empty: none."""
    target_id: str = ""
    bound_nano_usd: int | None = None
    open: bool = False
    """Whether the last try was begun and never ended."""
    charge: Posting | None = None
    """What budgets were charged for the try that is repeated under `key`; it stands for the repeats too."""


class Progress:
    """The lines of one batch. Bounded by its number of lines."""

    def __init__(self) -> None:
        self.finished: set[int] = set()
        self.begun: dict[int, LineState] = {}
        self.completed = 0
        self.failed = 0
        self.cost_nano_usd = 0
        self.uncosted = 0
        self.unresolved = 0
        self.guessed = 0
        """Tries whose exact bill nobody told: without a price, or counted by us."""
        self.spent_nano_usd = 0
        """The cost, with bounds where a cost is unknown."""

    def take(self, record: Record) -> None:
        """Folds one record."""
        if isinstance(record, Intent):
            state = self.begun.setdefault(record.line, LineState())
            state.tries = record.try_number + 1
            state.key, state.target_id = record.key, record.target_id
            state.bound_nano_usd, state.open = record.bound_nano_usd, True
            return
        state = self.begun.setdefault(record.line, LineState())
        if record.event is not None:
            self._count_cost(record.event, state.bound_nano_usd)
        elif record.code == UNRESOLVED:
            self.unresolved += 1
            self.uncosted += 1
            self.spent_nano_usd += state.bound_nano_usd or 0
        state.open = False
        state.tries = max(state.tries, record.try_number + 1)
        if record.key_goes_on:
            rows = () if record.event is None else record.event.attempts
            state.charge = (carried_charge(rows[-1]) if rows else None) or state.charge
        else:
            state.key, state.charge = "", None
        if not record.final:
            state.failed += record.event is not None
            return
        if record.line not in self.finished:
            self.finished.add(record.line)
            self.completed += record.ok
            self.failed += not record.ok
        self.begun.pop(record.line, None)

    def _count_cost(self, event: RequestEvent, bound_nano_usd: int | None) -> None:
        self.guessed += guessed(event)
        if event.cost_nano_usd is None:
            self.uncosted += 1
            self.spent_nano_usd += bound_nano_usd or 0
        else:
            self.cost_nano_usd += event.cost_nano_usd
            self.spent_nano_usd += event.cost_nano_usd
        self.unresolved += sum(attempt.outcome == UNRESOLVED for attempt in event.attempts)


def guessed(event: RequestEvent) -> bool:
    """Whether the cost in a row is not the provider's own count at known prices."""
    return event.cost_nano_usd is None or any(attempt.estimated for attempt in event.attempts)


def carried_charge(row: AttemptEvent) -> Posting | None:
    """What hard budgets stay charged with for a try that is repeated: the provider bills both once."""
    if not row.ledger:
        return None
    charge = charge_of(row)
    return charge if charge.leased and charge.outcome is HoldOutcome.UNRESOLVED else None


def charge_of(row: AttemptEvent) -> Posting:
    """What a row says of budgets. Raises ValueError when it says nothing."""
    return read_posting(row.attempt_id, row.ledger)


UNRESOLVED = "unresolved"
"""Outcome of an attempt that may have been billed though nobody knows whether it was."""


def request_id(batch_id: str, line: int, try_number: int) -> str:
    """The same for the same try, whoever runs it: its usage can be recorded twice and counts once."""
    return f"{request_ids_begin(batch_id)}{line}_{try_number}"


def request_ids_begin(batch_id: str) -> str:
    """How all request ids of a batch begin, and no others."""
    return f"req_{batch_id.removeprefix('batch_')}_"


def idempotency_key(batch_id: str, line: int, try_number: int) -> str:
    """What a provider tells repeats of a try by."""
    return f"interchange-{batch_id}-{line}-{try_number}"
