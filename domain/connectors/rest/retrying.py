"""When a failed request is sent again, and after how long: as the other side asks, within our bounds."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from domain.resilience.backoff import full_jitter_s, parse_retry_after

RETRIES_MAX: Final = 10
WAIT_S_MAX: Final = 300.0
RETRY_AFTER_TOLD_S_MAX: Final = 3600.0
"""What callers are told at most: upstream sides say days by mistake."""
STATUSES: Final = frozenset({429, 502, 503, 504})
IDEMPOTENT_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
READING_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_JITTER_SHARE: Final = 0.1
_MILLISECONDS_FROM: Final = 100_000_000_000
"""Seconds since 1970 that are larger would be in the year 5138: they are milliseconds."""


class RetryStrategy(StrEnum):
    """Where a wait comes from."""

    CONSTANT = "constant"
    EXPONENTIAL = "exponential"
    """Full jitter below a ceiling that doubles."""
    HEADER_WAIT = "header_wait"
    """Seconds or an HTTP date in a header of the answer."""
    HEADER_UNTIL = "header_until"
    """A moment in a header: seconds or milliseconds since 1970, an HTTP date, ISO 8601."""
    BODY_WAIT = "body_wait"
    """Seconds somewhere in the answer's JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """What is tried again. Seconds; `cap_s` is the longest wait: who asks for more is not asked again."""

    max: int = 2
    strategy: RetryStrategy = RetryStrategy.EXPONENTIAL
    base_s: float = 0.5
    cap_s: float = 30.0
    statuses: frozenset[int] = STATUSES


def retry_wait_s(rules: RetryRules, retry: int, *, asked_s: float | None, draw: float) -> float | None:
    """Seconds before retry number `retry` (0 is the first); None: not worth waiting for.

    `asked_s` is what the other side asked for, by the strategy's own place or by Retry-After, which counts
    with every strategy. A little jitter is added to it, so that those who were told the same moment do not
    all come back in it.
    """
    if retry >= rules.max:
        return None
    if asked_s is not None:
        if asked_s > rules.cap_s:
            return None
        floor_s = max(asked_s, 0.0)
        return min(rules.cap_s, floor_s + draw * max(_JITTER_SHARE * floor_s, 0.05))
    if rules.strategy is RetryStrategy.CONSTANT:
        return min(rules.cap_s, rules.base_s)
    return full_jitter_s(retry, draw=draw, base_s=rules.base_s, cap_s=rules.cap_s)


def seconds_in(value: object, *, utc_now: datetime) -> float | None:
    """Seconds from now in a header's text or in a number of a body; None where it says neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        return parse_retry_after(value, utc_now=utc_now)
    return float(value) if value >= 0 else 0.0


def seconds_until(value: str, *, utc_now: datetime) -> float | None:
    """Seconds from now until a moment in a header; what has passed is 0; None where it cannot be read."""
    text = value.strip()
    try:
        number = float(text) if len(text) <= 20 else None
    except ValueError:
        number = None
    if number is not None:
        if not 0 <= number < 1e18:
            return None
        since_1970 = number / 1000 if number >= _MILLISECONDS_FROM else number
        return max(0.0, since_1970 - utc_now.timestamp())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return parse_retry_after(text, utc_now=utc_now)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - utc_now).total_seconds())


def told_retry_after_s(asked_s: float | None) -> float | None:
    """What a caller is told of the other side's wish."""
    return None if asked_s is None else min(max(asked_s, 0.0), RETRY_AFTER_TOLD_S_MAX)
