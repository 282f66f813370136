"""How fast a batch goes: as fast as the providers let it, and never in the way of callers who wait.

Additive increase, multiplicative decrease: a provider that is at its limit halves the number of lines in
flight, so that the room goes to interactive requests; each round of good answers adds one again.
"""

SLOTS_SHARE = 0.5
"""Of all request slots, how many batches together may take."""
SLOTS_FREE_SHARE = 0.1
"""How many slots stay free for interactive requests, whatever they use already."""
HALVE_AT_MOST_EVERY_S = 1.0
"""Answers of one burst say the same thing once."""


class Pace:
    """The number of lines one batch may have in flight. Told the time in monotonic seconds."""

    def __init__(self, concurrency: int) -> None:
        self._most = max(1, concurrency)
        self._allowed = float(self._most)
        self._halved_at = float("-inf")

    @property
    def allowed(self) -> int:
        """Lines that may run at once; at least one."""
        return max(1, int(self._allowed))

    def answered(self) -> None:
        """A line was answered."""
        self._allowed = min(float(self._most), self._allowed + 1.0 / max(1.0, self._allowed))

    def pushed_back(self, now: float) -> None:
        """A provider said that it is at its limit."""
        if now - self._halved_at >= HALVE_AT_MOST_EVERY_S:
            self._halved_at = now
            self._allowed = max(1.0, self._allowed / 2)


def background_room(slots_max: int, in_flight: int, background: int) -> bool:
    """Whether one more line of any batch may take a slot. `in_flight` counts all requests."""
    if background >= max(1, int(slots_max * SLOTS_SHARE)):
        return False
    free = slots_max - in_flight
    return free > max(0, int(slots_max * SLOTS_FREE_SHARE))
