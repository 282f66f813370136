"""A circuit breaker as a plain machine that is told the time.

Asking (`try_acquire`) and reporting (`record`) are apart, because the call in between is awaited elsewhere.
Every state change starts a new generation; a permit carries the generation it was given in, and a late
result of an older one says nothing about the present and is ignored.

What opens it: a run of failures, or the share of failed (or slow) calls in a window with enough calls.
What recovers it: after `open_s`, a few live calls are let through as probes. As many successes as there are
probe slots close it; one failed or slow probe opens it again, for twice as long, up to `open_s_max`.
It works the same for a target that is the only one: refusing early is worth it there too.

A rate limit is not ill health. Report it with `forget` and let the target cool down instead.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from domain.resilience.rolling import RollingCounts

BUSY_PROBE_RETRY_S = 1.0
"""What a caller is told while all probe slots are taken: the verdict is due any moment."""

_WINDOW_BUCKETS = 10
_CALLS, _FAILED, _SLOW = 0, 1, 2
_OPENINGS_MAX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens and how it recovers. Durations in seconds, rates in (0, 1].

    The rates are judged from `minimum_calls` in `window_s` on; a run of `consecutive_failures` needs no
    minimum. `slow_call_s` is what the caller should call slow; None: nothing is slow. `open_s` doubles with
    each opening that follows a recovery of less than `window_s`, up to `open_s_max`.
    """

    consecutive_failures: int = 5
    failure_rate: float = 0.5
    minimum_calls: int = 20
    window_s: float = 60.0
    open_s: float = 30.0
    open_s_max: float = 120.0
    half_open_probes: int = 1
    slow_call_s: float | None = None
    slow_rate: float = 0.8

    def __post_init__(self) -> None:
        if min(self.consecutive_failures, self.minimum_calls, self.half_open_probes) < 1:
            raise ValueError("consecutive_failures, minimum_calls and half_open_probes must be at least 1")
        if not (0 < self.failure_rate <= 1 and 0 < self.slow_rate <= 1):
            raise ValueError("failure_rate and slow_rate must be above 0 and at most 1")
        if min(self.window_s, self.open_s) <= 0 or self.open_s_max < self.open_s:
            raise ValueError("window_s and open_s must be positive, open_s_max at least open_s")
        if self.slow_call_s is not None and self.slow_call_s <= 0:
            raise ValueError("slow_call_s must be positive")

    def is_slow(self, latency_s: float) -> bool:
        """Whether a call of this length counts as slow."""
        return self.slow_call_s is not None and latency_s > self.slow_call_s


class BreakerState(Enum):
    """CLOSED lets traffic flow, OPEN refuses it, HALF_OPEN lets a few probes through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Permit(NamedTuple):
    """The right to one call. Give it back with `record` or, when the call proved nothing, `forget`."""

    generation: int
    probe: bool


class Refused(NamedTuple):
    """Not now; a call may be let through in `retry_after_s` seconds."""

    retry_after_s: float


class CircuitBreaker:
    """One breaker, for whatever its owner calls. Not thread-safe; one event loop owns it."""

    __slots__ = (
        "_closed_at",
        "_consecutive",
        "_counts",
        "_flowing",
        "_generation",
        "_held",
        "_openings",
        "_permit",
        "_probe_successes",
        "_probes_live",
        "_reopen_at",
        "_state",
        "policy",
    )

    def __init__(self, policy: BreakerPolicy = BreakerPolicy()) -> None:
        self.policy = policy
        self._counts = RollingCounts(
            bucket_s=policy.window_s / _WINDOW_BUCKETS, past_buckets=_WINDOW_BUCKETS - 1, columns=3
        )
        self._generation = 0
        self._permit = Permit(0, False)
        self._state = BreakerState.CLOSED
        self._flowing = True
        self._held = False
        self._consecutive = 0
        self._openings = 0
        self._closed_at = 0.0
        self._reopen_at = 0.0
        self._probes_live = 0
        self._probe_successes = 0

    def try_acquire(self, *, now: float) -> Permit | Refused:
        """A permit, or when to ask again. Asking an open breaker after its time makes it half-open."""
        if self._flowing:
            return self._permit
        if self._state is BreakerState.OPEN:
            if self._held:
                return Refused(self.policy.open_s_max)
            if now < self._reopen_at:
                return Refused(self._reopen_at - now)
            self._enter(BreakerState.HALF_OPEN)
        if self._probes_live + self._probe_successes >= self.policy.half_open_probes:
            return Refused(BUSY_PROBE_RETRY_S)
        self._probes_live += 1
        return self._permit

    def record(self, permit: Permit, *, ok: bool, now: float, slow: bool = False) -> None:
        """How the call went. `slow` is the caller's verdict, see `BreakerPolicy.is_slow`.

        A result of an older generation is ignored. Call it once per permit.
        """
        if permit[0] != self._generation or self._held:
            return
        if not self._flowing:
            self._record_probe(ok and not slow, now)
            return
        counts = self._counts
        if now >= counts.ends_at:
            counts.rotate(now)
        current = counts.current
        current[_CALLS] += 1
        if ok:
            self._consecutive = 0
            if not slow:
                return
        else:
            self._consecutive += 1
            current[_FAILED] += 1
        if slow:
            current[_SLOW] += 1
        if self._must_open():
            self._open(now)

    def forget(self, permit: Permit) -> None:
        """The call proved nothing (the caller left, its own mistake, a rate limit); frees a probe's slot."""
        if permit.probe and permit.generation == self._generation and self._probes_live:
            self._probes_live -= 1

    def would_admit(self, now: float) -> bool:
        """Whether `try_acquire` would give a permit; changes nothing."""
        if self._flowing:
            return True
        if self._state is BreakerState.OPEN:
            return not self._held and now >= self._reopen_at
        return self._probes_live + self._probe_successes < self.policy.half_open_probes

    def state(self, now: float) -> BreakerState:
        """As a caller would find it: an open breaker whose time is over is half-open."""
        if self._state is BreakerState.OPEN and not self._held and now >= self._reopen_at:
            return BreakerState.HALF_OPEN
        return self._state

    def reopen_after_s(self, now: float) -> float:
        """Seconds until a call may be let through; 0 when it may now."""
        if self.would_admit(now):
            return 0.0
        if self._held:
            return self.policy.open_s_max
        return self._reopen_at - now if self._state is BreakerState.OPEN else BUSY_PROBE_RETRY_S

    @property
    def held(self) -> bool:
        """Whether an operator holds it open or closed."""
        return self._held

    def force_open(self) -> None:
        """An operator's word: refuses everything until `force_close` or `reset`."""
        self._enter(BreakerState.OPEN)
        self._held = True

    def force_close(self) -> None:
        """An operator's word: admits everything, whatever the results, until `force_open` or `reset`."""
        self._enter(BreakerState.CLOSED)
        self._held = True

    def reset(self) -> None:
        """Closed and automatic, as if new; results still under way are ignored."""
        self._enter(BreakerState.CLOSED)
        self._openings = 0

    def _must_open(self) -> bool:
        policy = self.policy
        if self._consecutive >= policy.consecutive_failures:
            return True
        calls = self._counts.total(_CALLS)
        if calls < policy.minimum_calls:
            return False
        failed, slow = self._counts.total(_FAILED), self._counts.total(_SLOW)
        return failed >= policy.failure_rate * calls or slow >= policy.slow_rate * calls

    def _record_probe(self, ok: bool, now: float) -> None:
        self._probes_live = max(0, self._probes_live - 1)
        if not ok:
            self._open(now)
            return
        self._probe_successes += 1
        if self._probe_successes >= self.policy.half_open_probes:
            self._enter(BreakerState.CLOSED)
            self._closed_at = now

    def _open(self, now: float) -> None:
        recovered = self._flowing and now - self._closed_at > self.policy.window_s
        self._openings = 1 if recovered else min(self._openings + 1, _OPENINGS_MAX)
        open_s = min(self.policy.open_s * 2 ** (self._openings - 1), self.policy.open_s_max)
        self._enter(BreakerState.OPEN)
        self._reopen_at = now + open_s

    def _enter(self, state: BreakerState) -> None:
        self._generation += 1
        self._permit = Permit(self._generation, state is BreakerState.HALF_OPEN)
        self._state = state
        self._flowing = state is BreakerState.CLOSED
        self._held = False
        self._consecutive = 0
        self._probes_live = 0
        self._probe_successes = 0
        if state is BreakerState.CLOSED:
            self._counts.clear()
