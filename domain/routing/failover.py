"""What follows a failed attempt: the same target again, the next one, or the end (SPEC L9)."""

from typing import NamedTuple

from domain.llm.failures import BreakerVote, Failure
from domain.resilience.backoff import retry_wait_s

QUICK_RETRY_WAIT_MAX_S = 0.05
"""The longest wait for one target while another could answer at once: failover is due by then (SPEC P6)."""
SAME_TARGET_WAIT_MAX_S = 15.0
"""All waits of one request for one target together. Who is told to stay away for longer is not kept
waiting: the caller learns at once when to come back."""


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
    waited_s: float = 0.0,
) -> NextStep:
    """The step after `failure`. `attempt` counts failed attempts on this target from 0, `waited_s` is how
    long this request has waited for it already.

    `retry_allowed` is the retry budget's word; it bounds repeats on one target. Moving on is not bounded by
    it, because the breakers already take a failing target out of later plans. While another target could
    answer, one is repeated once, almost at once, and never when it asked for a pause. A wait never reaches
    the deadline. A too-long prompt always asks for a larger window; whether there is one, the plan's spares
    know.
    """
    disposition = failure.disposition
    if not disposition.retry_same and not disposition.try_next:
        return GiveUp("not_retryable")
    if deadline_remaining_s <= 0:
        return GiveUp("deadline")
    if disposition.larger_context_only:
        return TryNext(larger_context=True)
    onward = more_targets and disposition.try_next
    may_repeat = disposition.retry_same and retries_left > 0 and retry_allowed
    if onward:
        asked_for_a_pause = disposition.breaker is BreakerVote.COOL_DOWN or failure.retry_after_s is not None
        if may_repeat and attempt == 0 and not asked_for_a_pause:
            wait_s = draw * QUICK_RETRY_WAIT_MAX_S
            if wait_s < deadline_remaining_s:
                return RetrySame(wait_s)
        return TryNext()
    if may_repeat:
        wait_s = retry_wait_s(attempt, retry_after_s=failure.retry_after_s, draw=draw)
        # The clamped wait would come back sooner than the provider wants.
        longest_s = max(wait_s, failure.retry_after_s or 0.0)
        if longest_s >= deadline_remaining_s:
            return GiveUp("deadline")
        if waited_s + longest_s > SAME_TARGET_WAIT_MAX_S:
            return GiveUp("wait_too_long")
        return RetrySame(wait_s)
    return GiveUp("retries_spent" if disposition.retry_same else "targets_spent")
