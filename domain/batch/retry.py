"""What follows a try of a line that failed: another try, or its row in the error file."""

from enum import Enum
from typing import Final, NamedTuple

from domain.llm.failures import BreakerVote, Failure, FailureKind
from domain.resilience.backoff import retry_wait_s

WAIT_BASE_FACTOR: Final = 4
"""Nobody waits for a line, so its backoff is longer than an interactive request's."""
_WORTH_ANOTHER_TRY: Final = frozenset({FailureKind.TIMEOUT, FailureKind.QUOTA, FailureKind.AUTH})
"""Not worth repeating for a caller who waits, but for a batch that has hours."""


BUDGET_PAUSE_LEAST_S: Final = 0.05
BUDGET_PAUSE_FIRST_S: Final = 0.5
BUDGET_PAUSE_MAX_S: Final = 30.0
"""A limit may be raised at any time, so a batch asks again long before the period of a budget ends."""


class TryAgain(NamedTuple):
    """Another try after `wait_s`; with `elsewhere`, another target first where there is one.

    `same_key`: under the idempotency key of this try, because nobody knows whether it was carried out.
    """

    wait_s: float
    elsewhere: bool
    same_key: bool


class LineFailed(NamedTuple):
    """No further try; `reason` is a stable word."""

    reason: str


class Doubt(Enum):
    """What is known about a try that was begun."""

    NONE = "none"
    """It was answered, or certainly not carried out."""
    OPEN = "open"
    """It may have been carried out and billed; nobody told."""


def doubt_of(failure: Failure) -> Doubt:
    """Whether the provider may have worked for a failed try without our learning the answer."""
    return Doubt.OPEN if failure.may_be_billed and failure.status is None else Doubt.NONE


def after_failed_try(
    failure: Failure,
    *,
    tries_left: int,
    failed_before: int,
    draw: float,
    honours_keys: bool,
    in_doubt_before: bool,
) -> TryAgain | LineFailed:
    """The step after a failed try. `failed_before` counts earlier failed tries of the line.

    A try in doubt at a provider that honours idempotency keys is repeated there under the same key: that
    tells what became of it and is billed once. `in_doubt_before`: this try was such a repeat, so that its
    own refusal says nothing about the first.
    """
    disposition = failure.disposition
    hopeless = not (disposition.retry_same or disposition.try_next)
    if hopeless or (not disposition.retry_same and failure.kind not in _WORTH_ANOTHER_TRY):
        return LineFailed("not_retryable")
    if tries_left <= 0:
        return LineFailed("retries_spent")
    in_doubt = in_doubt_before or (doubt_of(failure) is Doubt.OPEN and honours_keys)
    wait_s = retry_wait_s(failed_before, retry_after_s=failure.retry_after_s, draw=draw)
    if failure.retry_after_s is None:
        wait_s *= WAIT_BASE_FACTOR
    return TryAgain(wait_s, elsewhere=not in_doubt and disposition.try_next, same_key=in_doubt)


def pause_for_budget_s(
    room_at_us: int | None, *, now_us: int, expires_at_us: int, pauses: int, draw: float
) -> float | None:
    """How long lines wait for room in a budget; None: there will be none before the batch expires.

    `pauses` counts those before in a row; the first ones are short, because often only what runs is in the
    way. `draw` in [0, 1) spreads batches that wait for the same budget.
    """
    if room_at_us is None or room_at_us >= expires_at_us:
        return None
    pause_s = min(BUDGET_PAUSE_MAX_S, BUDGET_PAUSE_FIRST_S * 2.0 ** min(pauses, 10))
    if room_at_us > now_us:
        pause_s = min(pause_s, max(BUDGET_PAUSE_LEAST_S, (room_at_us - now_us) / 1e6))
    return pause_s * (1.0 + draw / 4)


def pushes_back(failure: Failure) -> bool:
    """Whether the provider says that it is at its limit."""
    return failure.kind is FailureKind.OVERLOADED or failure.disposition.breaker is BreakerVote.COOL_DOWN
