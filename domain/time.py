"""Points in time that rules need; none of them reads a clock."""

import math
from typing import Final, NamedTuple


class Deadline(NamedTuple):
    """The moment, in monotonic seconds, after which an answer is of no use."""

    at_s: float

    def remaining_s(self, now: float) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at_s - now)

    def passed(self, now: float) -> bool:
        return now >= self.at_s

    def share_s(self, now: float, *, more_to_come: bool, at_least_s: float) -> float:
        """Seconds one attempt may take: all that is left for the last one, else half of it.

        A silent provider must leave time for the fallbacks. A share is never shorter than `at_least_s`, as
        long as there is so much.
        """
        left_s = self.remaining_s(now)
        return min(left_s, max(left_s / 2, at_least_s)) if more_to_come else left_s

    def earlier(self, seconds: float, now: float) -> "Deadline":
        """This deadline, or `seconds` from now when that comes first."""
        return Deadline(min(self.at_s, now + seconds))


NO_DEADLINE: Final = Deadline(math.inf)
"""Of a request that is not planned yet."""


class Timeouts(NamedTuple):
    """Bounds of one route, in seconds (SPEC R4)."""

    connect_s: float = 5.0
    headers_s: float = 30.0
    """Response headers of a stream; a unary answer is bounded by `total_s` alone."""
    first_token_s: float = 120.0
    idle_s: float = 120.0
    total_s: float = 600.0
    stream_total_s: float = 3600.0
    keep_alive_after_s: float = 10.0
    """Silence towards the caller of a stream after which keep-alives start."""
