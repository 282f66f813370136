"""How a provider has been doing, seen from live traffic alone (SPEC R2).

Definitions, over the last `window_s` (300 s), in buckets of a thirtieth of it:
- success rate: good answers / calls that said something about the provider; unknown without calls.
- average latency: of good answers only, since failures are often fast.
- consecutive failures: since the last good answer; forgotten after a window without calls.
- down: from the first failure of a run that reached `unavailable_consecutive_failures` until the next good
  answer. availability % = 100 * (1 - time down / time observed), where the time observed is the window or,
  for a younger provider, the time since its first call. What an operator forces does not change it.

A single machine cannot see recovery without traffic, so an unavailable provider is left alone only for
`unavailable_hold_s` after its last failure; then live traffic may try it again, a few at a time, because
the breakers of its targets are half-open by then.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

from domain.resilience.rolling import RollingCounts

_BUCKETS = 30
_CALLS, _GOOD, _GOOD_S = 0, 1, 2
_GAP_MERGED_S = 1.0
_INTERVALS_MAX = 1024


class HealthState(Enum):
    """From best to worst, and MAINTENANCE, which only an operator sets."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNAVAILABLE = "unavailable"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """Thresholds of the states; rates in [0, 1], judged from `minimum_samples` calls in the window on.

    `degraded_latency_ms` bounds the average latency; None: latency alone degrades nothing.
    """

    window_s: float = 300.0
    minimum_samples: int = 10
    degraded_success_rate: float = 0.95
    unhealthy_success_rate: float = 0.80
    degraded_latency_ms: float | None = None
    degraded_consecutive_failures: int = 3
    unhealthy_consecutive_failures: int = 5
    unavailable_consecutive_failures: int = 10
    unavailable_hold_s: float = 30.0

    def __post_init__(self) -> None:
        runs = (
            self.degraded_consecutive_failures,
            self.unhealthy_consecutive_failures,
            self.unavailable_consecutive_failures,
        )
        if runs[0] < 1 or list(runs) != sorted(runs):
            raise ValueError("the consecutive-failure thresholds must be at least 1 and rise")
        if not 0 <= self.unhealthy_success_rate <= self.degraded_success_rate <= 1:
            raise ValueError("the success-rate thresholds must lie in [0, 1] and fall from degraded on")
        if self.window_s <= 0 or self.minimum_samples < 1 or self.unavailable_hold_s < 0:
            raise ValueError("window_s and minimum_samples must be positive, unavailable_hold_s not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSnapshot:
    """What is known of a provider at one moment; None is unknown."""

    state: HealthState
    success_rate: float | None
    average_latency_ms: float | None
    consecutive_failures: int
    availability_percent: float
    samples: int


class HealthWindow:
    """The health of one provider. Not thread-safe."""

    __slots__ = (
        "_consecutive",
        "_counts",
        "_down",
        "_failing_since",
        "_first_at",
        "_last_at",
        "_last_failed_at",
        "forced",
        "policy",
    )

    def __init__(self, policy: HealthPolicy = HealthPolicy()) -> None:
        self.policy = policy
        self.forced: HealthState | None = None
        """An operator's verdict; None: judged from traffic."""
        self._counts = RollingCounts(
            bucket_s=policy.window_s / _BUCKETS, past_buckets=_BUCKETS - 1, columns=3
        )
        self._consecutive = 0
        self._first_at: float | None = None
        self._last_at = 0.0
        self._last_failed_at = 0.0
        self._failing_since = 0.0
        # Gaps under a second are merged, so a window never holds more of them than seconds.
        self._down: deque[tuple[float, float]] = deque(maxlen=_INTERVALS_MAX)

    def record(self, ok: bool, latency_s: float, now: float) -> None:
        """One call that says something about the provider: not a caller's mistake, not a rate limit."""
        self._catch_up(now)
        if self._first_at is None:
            self._first_at = now - latency_s
        elif self._consecutive and not self.failures_in_a_row(now):
            self._end_run(self._last_at)
        self._last_at = now
        current = self._counts.current
        current[_CALLS] += 1
        if ok:
            current[_GOOD] += 1
            current[_GOOD_S] += latency_s
            if self._consecutive:
                self._end_run(now)
            return
        if not self._consecutive:
            self._failing_since = now
        self._consecutive += 1
        self._last_failed_at = now

    def force(self, state: HealthState | None) -> None:
        """An operator's verdict, such as MAINTENANCE, over what traffic shows; None ends it."""
        self.forced = state

    def success_rate(self, now: float) -> float | None:
        """Share of good answers in the window; None without calls."""
        self._catch_up(now)
        calls = self._counts.total(_CALLS)
        return self._counts.total(_GOOD) / calls if calls else None

    def state(self, now: float) -> HealthState:
        """What an operator forced, or what traffic shows. Nothing seen is healthy."""
        return self.forced or self._judged(now)

    def spotless(self, now: float) -> bool:
        """Whether nothing at all speaks against it: no failure in the window, no verdict, no latency limit.

        The usual case, told apart cheaply, because plans ask for every candidate's provider.
        """
        counts = self._counts
        if now >= counts.ends_at:
            counts.rotate(now)
        past, current = counts.past, counts.current
        return (
            self._consecutive == 0
            and self.forced is None
            and self.policy.degraded_latency_ms is None
            and past[_CALLS] + current[_CALLS] == past[_GOOD] + current[_GOOD]
        )

    def held_for_s(self, now: float) -> float:
        """How long an unavailable provider is still left alone; 0 when it may be tried."""
        if not self._consecutive or (
            self.failures_in_a_row(now) < self.policy.unavailable_consecutive_failures
        ):
            return 0.0
        return max(0.0, self._last_failed_at + self.policy.unavailable_hold_s - now)

    def failures_in_a_row(self, now: float) -> int:
        """Failures since the last good answer; 0 after a window without calls."""
        return self._consecutive if now - self._last_at < self.policy.window_s else 0

    def snapshot(self, now: float) -> HealthSnapshot:
        """Everything at once, for people and for the API."""
        rate = self.success_rate(now)
        good = self._counts.total(_GOOD)
        return HealthSnapshot(
            state=self.state(now),
            success_rate=rate,
            average_latency_ms=self._counts.total(_GOOD_S) / good * 1000 if good else None,
            consecutive_failures=self.failures_in_a_row(now),
            availability_percent=self._availability_percent(now),
            samples=int(self._counts.total(_CALLS)),
        )

    def _judged(self, now: float) -> HealthState:
        policy = self.policy
        failures = self.failures_in_a_row(now)
        if failures >= policy.unavailable_consecutive_failures:
            return HealthState.UNAVAILABLE
        rate = self.success_rate(now)
        if rate is None or self._counts.total(_CALLS) < policy.minimum_samples:
            rate = 1.0
        if failures >= policy.unhealthy_consecutive_failures or rate < policy.unhealthy_success_rate:
            return HealthState.UNHEALTHY
        if failures >= policy.degraded_consecutive_failures or rate < policy.degraded_success_rate:
            return HealthState.DEGRADED
        return HealthState.DEGRADED if self._is_slow() else HealthState.HEALTHY

    def _is_slow(self) -> bool:
        good = self._counts.total(_GOOD)
        limit_ms = self.policy.degraded_latency_ms
        if limit_ms is None or good < self.policy.minimum_samples:
            return False
        return self._counts.total(_GOOD_S) / good * 1000 > limit_ms

    def _catch_up(self, now: float) -> None:
        if now >= self._counts.ends_at:
            self._counts.rotate(now)

    def _is_down(self) -> bool:
        return self._consecutive >= self.policy.unavailable_consecutive_failures

    def _end_run(self, at: float) -> None:
        """The run of failures is over; if it was long enough, the time it took was down time."""
        if self._is_down():
            if self._down and self._failing_since - self._down[-1][1] < _GAP_MERGED_S:
                self._down[-1] = (self._down[-1][0], at)
            else:
                self._down.append((self._failing_since, at))
        self._consecutive = 0

    def _availability_percent(self, now: float) -> float:
        if self._first_at is None:
            return 100.0
        begins = max(now - self.policy.window_s, self._first_at)
        intervals = list(self._down)
        if self._is_down() and self.failures_in_a_row(now):
            intervals.append((self._failing_since, now))
        down_s = sum(max(0.0, end - max(start, begins)) for start, end in intervals)
        return 100.0 * (1 - down_s / (now - begins)) if now > begins else 100.0
