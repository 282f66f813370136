"""How far off is too far: a threshold from the series' own distances, beyond what it has shown so far.

The distances of the last four weeks say where their 90th and 99th percentiles lie. Beyond those, distances
are taken to thin out as an exponential tail does, a factor of ten for each step between the two, which is
what peaks over a threshold do of anything that is not wilder (Siffer et al., "Anomaly Detection in Streams
with Extreme Value Theory", 2017, there with a shape fitted to the tail, which four weeks of hours do not
settle). A series with wild peaks has a far threshold, an even one a near one.

What was strange is remembered as the 99th percentile that was: an accident does not blind the detector for a
month. A series that has become wilder is followed all the same, by hours that are far and not strange yet.
"""

from bisect import bisect_left, insort
from collections import deque
from typing import Final

FURTHER: Final = 2.5
"""Steps of ten beyond the 99th percentile: about one hour in thirty thousand by chance."""
_FEW: Final = 24.0
"""With so many hours the threshold is twice as far: quantiles of few distances are too small."""


class Tail:
    """Distances of one side, of the last `keep` places; fewer than `least` of them say nothing. `hour` is
    places per hour."""

    def __init__(self, keep: int, least: int, hour: int) -> None:
        self._keep = keep
        self._least = least
        self._few = _FEW * hour
        self._order: deque[tuple[int, float]] = deque()
        self._sorted: list[float] = []
        self._far = 0.0
        self._border: float | None = None

    @property
    def border(self) -> float | None:
        """How far is just usual; None: too few are known."""
        return self._border

    def add(self, place: int, distance: float, *, strange: bool = False) -> None:
        """Of a place after all others; below nothing counts as nothing."""
        known = self._sorted
        distance = min(max(0.0, distance), self._far) if strange else max(0.0, distance)
        insort(known, distance)
        self._order.append((place, distance))
        while self._order[0][0] <= place - self._keep:
            del known[bisect_left(known, self._order.popleft()[1])]
        count = len(known)
        near, self._far = known[int(0.9 * count)], known[int(0.99 * count)]
        if count >= self._least:
            self._border = (self._far + FURTHER * (self._far - near)) * (1 + self._few / count)
