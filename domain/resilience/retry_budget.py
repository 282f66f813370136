"""A bound on retries as a share of traffic, so that a failing provider is not hit harder than a healthy one.

Promise: whenever a retry is granted, the retries of the last `window_s` (it included) are at most
`ratio` times the requests of that window plus `floor_per_s * window_s`. Buckets are counted on the safe
side: retries over slightly more than the window, requests over slightly less.
"""

from domain.resilience.rolling import RollingCounts

_BUCKETS = 10


class RetryBudget:
    """Shared by everything that retries towards one upstream side. Not thread-safe."""

    __slots__ = ("_floor", "_ratio", "_requests", "_retries")

    def __init__(self, ratio: float = 0.10, floor_per_s: float = 3.0, window_s: float = 10.0) -> None:
        if ratio < 0 or floor_per_s < 0 or window_s <= 0:
            raise ValueError("ratio and floor_per_s must not be negative, window_s must be positive")
        bucket_s = window_s / _BUCKETS
        self._ratio = ratio
        self._floor = floor_per_s * window_s
        self._requests = RollingCounts(bucket_s=bucket_s, past_buckets=_BUCKETS - 1, columns=1)
        self._retries = RollingCounts(bucket_s=bucket_s, past_buckets=_BUCKETS, columns=1)

    def on_request(self, now: float) -> None:
        """A first attempt went out; it earns a share of a retry."""
        requests = self._requests
        if now >= requests.ends_at:
            requests.rotate(now)
        requests.current[0] += 1

    def try_spend(self, now: float) -> bool:
        """Whether one more retry fits; a granted one is counted at once."""
        if now >= self._requests.ends_at:
            self._requests.rotate(now)
        if now >= self._retries.ends_at:
            self._retries.rotate(now)
        allowed = self._ratio * self._requests.total(0) + self._floor
        if self._retries.total(0) + 1 > allowed:
            return False
        self._retries.current[0] += 1
        return True
