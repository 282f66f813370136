"""How fast an endpoint is sent to where its owner set a rate: told the time, for one process."""


class Pace:
    """At most `rate_per_s` on average, and one second's worth (at least one) at once."""

    __slots__ = ("_full_at_s", "_rate_per_s")

    def __init__(self, rate_per_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._full_at_s = float("-inf")

    def room(self, now_s: float) -> int:
        """How many may be begun now."""
        burst = max(1.0, self._rate_per_s)
        owed = max(0.0, self._full_at_s - now_s) * self._rate_per_s
        return int(burst - owed + 1e-9)

    def took(self, now_s: float, count: int = 1) -> None:
        """So many were begun."""
        self._full_at_s = max(self._full_at_s, now_s) + count / self._rate_per_s
