"""How fast a target is, for ranking (peak EWMA of the first token) and for ceilings (p95 of whole answers).

Ranking looks at the time to the first token, because whole answers differ more by their length than by who
gives them. A peak EWMA believes bad news at once and good news slowly. It must also forgive: a target that
was slow once gets no traffic, so nothing would ever correct its estimate. Without news, an estimate above
the cold-start value therefore relaxes towards it; one below is kept.
"""

from array import array
from math import exp, inf, log

COLD_START_S = 1.0
"""What is assumed of a target that was never seen: neither preferred nor avoided."""
FORGIVE_S = 300.0
"""Time constant with which a bad estimate fades without news."""


class PeakEwma:
    """Peak-sensitive moving average of a duration in seconds."""

    __slots__ = ("_seen_at", "_tau_s", "_value_s")

    def __init__(self, tau_s: float = 10.0) -> None:
        if tau_s <= 0:
            raise ValueError("tau_s must be positive")
        self._tau_s = tau_s
        self._value_s = -1.0
        self._seen_at = 0.0

    @property
    def known(self) -> bool:
        """Whether anything was ever observed."""
        return self._value_s >= 0

    def observe(self, rtt_s: float, now: float) -> None:
        """Takes one duration. A peak counts in full, anything lower by how long ago the last one was."""
        if rtt_s >= self._value_s:
            self._value_s = rtt_s
        else:
            weight = exp(-max(0.0, now - self._seen_at) / self._tau_s)
            self._value_s = self._value_s * weight + rtt_s * (1 - weight)
        self._seen_at = now

    def value_s(self, now: float) -> float:
        """The estimate now; COLD_START_S before the first observation."""
        value_s = self._value_s
        if value_s < 0:
            return COLD_START_S
        if value_s <= COLD_START_S:
            return value_s
        weight = exp(-max(0.0, now - self._seen_at) / FORGIVE_S)
        return COLD_START_S + (value_s - COLD_START_S) * weight

    def load(self, in_flight: int, now: float) -> float:
        """What joining the queue here would cost: the estimate times everyone in it, this call included."""
        return self.value_s(now) * (in_flight + 1)


LATENCY_WINDOW_S = 300.0
LATENCY_SAMPLES_MIN = 10
"""Below this many answers a p95 is a guess, and is not given."""

_RATIO = 1.1
_PER_LOG = 1 / log(_RATIO)
_BUCKETS = 160  # 1.1 ** 160 ms is about 4,200 s, longer than any answer may take


class LatencyWindow:
    """p95 of whole answers over the last 300 to 600 s, at most 10 % too high, in about 1 kB.

    Two generations of log-spaced buckets: the current fills, the previous fades as a whole.
    """

    __slots__ = ("_current", "_p95_ms", "_previous", "_stale", "_top", "_turns_at", "_window_s")

    def __init__(self, window_s: float = LATENCY_WINDOW_S) -> None:
        if window_s <= 0:
            raise ValueError("window_s must be positive")
        self._window_s = window_s
        self._current: array[int] | None = None
        self._previous: array[int] | None = None
        self._turns_at = -inf
        self._p95_ms: float | None = None
        self._stale = False
        self._top = 0

    def observe(self, latency_s: float, now: float) -> None:
        """Takes the duration of one whole answer in seconds."""
        if now >= self._turns_at or self._current is None:
            self._turn(now)
        assert self._current is not None
        milliseconds = latency_s * 1000
        bucket = 0 if milliseconds <= 1 else min(int(log(milliseconds) * _PER_LOG) + 1, _BUCKETS - 1)
        self._current[bucket] += 1
        if bucket > self._top:
            self._top = bucket
        self._stale = True

    def predicted_p95_ms(self, now: float | None = None) -> float | None:
        """The p95 in milliseconds; None when too few answers were seen (with `now`: seen lately)."""
        if now is not None and now >= self._turns_at + self._window_s:
            return None
        if self._stale:
            self._stale = False
            self._p95_ms = self._measure()
        return self._p95_ms

    def _turn(self, now: float) -> None:
        # After a silence of a whole window, what was current is too old to serve as previous.
        self._previous = self._current if now < self._turns_at + self._window_s else None
        self._current = array("L", bytes(_BUCKETS * array("L").itemsize))
        self._turns_at = now + self._window_s

    def _measure(self) -> float | None:
        current, previous = self._current, self._previous
        if current is None:
            return None
        samples = sum(current) + (sum(previous) if previous else 0)
        if samples < LATENCY_SAMPLES_MIN:
            return None
        # Slow answers are few, so the walk from the top is short.
        above = samples * 5 // 100
        for bucket in range(self._top, 0, -1):
            above -= current[bucket] + (previous[bucket] if previous else 0)
            if above < 0:
                return float(_RATIO**bucket)
        return 1.0
