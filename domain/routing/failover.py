"""What follows a failed attempt: the same target again, the next one, or the end (SPEC L9)."""

from typing import NamedTuple

from domain.llm.failures import Failure
from domain.resilience.backoff import retry_wait_s

RETRY_SAME_WAIT_MAX_S = 5.0
"""The longest wait for one target while another could answer at once."""


class RetrySame(NamedTuple):
    """The same target again, after `wait_s` seconds."""

    wait_s: float


class TryNext(NamedTuple):
    """The next target of the plan; with `larger_context`, one with a larger window than those that failed."""

    larger_context: bool = False


class GiveUp(NamedTuple):
    """No further attempt; `reason` is a stable word for the log."""

    reason: str


NextStep = RetrySame | TryNext | GiveUp


def next_step(
    failure: Failure,
    *,
    retries_left: int,
    retry_allowed: bool,
    deadline_remaining_s: float,
    attempt: int,
    draw: float,
    more_targets: bool,
) -> NextStep:
    """The step after `failure`. `attempt` counts failed attempts on this target from 0.

    `retry_allowed` is the retry budget's word; it bounds repeats on one target. Moving on is not bounded by
    it, because the breakers already take a failing target out of later plans. A wait never reaches the
    deadline. A too-long prompt always asks for a larger window; whether there is one, the plan's spares know.
    """
    disposition = failure.disposition
    if not disposition.retry_same and not disposition.try_next:
        return GiveUp("not_retryable")
    if deadline_remaining_s <= 0:
        return GiveUp("deadline")
    if disposition.larger_context_only:
        return TryNext(larger_context=True)
    onward = more_targets and disposition.try_next
    if disposition.retry_same and retries_left > 0 and retry_allowed:
        wait_s = retry_wait_s(attempt, retry_after_s=failure.retry_after_s, draw=draw)
        too_long = wait_s >= deadline_remaining_s or (onward and wait_s > RETRY_SAME_WAIT_MAX_S)
        if not too_long:
            return RetrySame(wait_s)
        if not onward:
            return GiveUp("deadline")
    if onward:
        return TryNext()
    return GiveUp("retries_spent" if disposition.retry_same else "targets_spent")
