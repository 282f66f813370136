"""Exact counts over a sliding stretch of time, in buckets, so that memory is bounded and reads are sums.

Counts, not decaying averages: a burst of failures and the same failures spread out must lead to the same
decision. The window moves in whole buckets, so it covers between `past_buckets` and `past_buckets + 1`
bucket lengths.
"""

from collections import deque
from math import inf


class RollingCounts:
    """Counters side by side, forgotten bucket by bucket.

    The hot path is left to the owner, who writes `if now >= counts.ends_at: counts.rotate(now)` and then
    adds to `counts.current[column]`. `past` holds the sums of the complete buckets still in the window.
    """

    __slots__ = ("_buckets", "_columns", "_index", "bucket_s", "current", "ends_at", "past")

    def __init__(self, *, bucket_s: float, past_buckets: int, columns: int) -> None:
        if bucket_s <= 0 or past_buckets < 1 or columns < 1:
            raise ValueError("a rolling window needs a positive bucket length, past buckets and columns")
        self.bucket_s = bucket_s
        self.current: list[float] = [0] * columns
        self.past: list[float] = [0] * columns
        self.ends_at = -inf
        self._columns = columns
        self._index = 0
        self._buckets: deque[list[float]] = deque(maxlen=past_buckets)

    def rotate(self, now: float) -> None:
        """Moves the window up to `now`. Time that runs backwards changes nothing."""
        index = int(now // self.bucket_s)
        if self.ends_at == -inf:
            steps = 1
        else:
            steps = index - self._index
            if steps <= 0:
                return
        self._buckets.append(self.current)
        for _ in range(min(steps - 1, self._buckets.maxlen or 0)):
            self._buckets.append([0] * self._columns)
        self.past = [sum(column) for column in zip(*self._buckets, strict=True)]
        self.current = [0] * self._columns
        self._index = index
        self.ends_at = (index + 1) * self.bucket_s

    def total(self, column: int) -> float:
        """The count in the window as of the last rotation."""
        return self.past[column] + self.current[column]

    def clear(self) -> None:
        """Forgets everything."""
        self._buckets.clear()
        self.current = [0] * self._columns
        self.past = [0] * self._columns
        self.ends_at = -inf
