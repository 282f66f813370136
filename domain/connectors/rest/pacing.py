"""A limit on our own requests: so many per time, some of them at once, the others a bounded wait later."""

from typing import Final

REQUESTS_MAX: Final = 100_000
WAIT_S_MAX: Final = 60.0


class Pacer:
    """Grants moments to send at, `requests` per `per_s` seconds and `burst` of them at once.

    In every window of length w at most `burst + w * requests / per_s` are granted. Not thread-safe; told
    the time (monotonic seconds).
    """

    __slots__ = ("_ahead_s", "_due_at", "_spacing_s")

    def __init__(self, *, requests: int, per_s: float, burst: int) -> None:
        if requests < 1 or per_s <= 0 or burst < 1:
            raise ValueError("requests and burst must be at least 1, per_s positive")
        self._spacing_s = per_s / requests
        self._ahead_s = (burst - 1) * self._spacing_s
        self._due_at = float("-inf")

    def wait_s(self, now: float) -> float:
        """How long whoever comes now would wait; takes nothing."""
        return max(0.0, self._due_at - self._ahead_s - now)

    def take(self, now: float, *, wait_s_max: float) -> float | None:
        """Seconds to wait before sending, and the moment is taken; None: longer than `wait_s_max`."""
        wait_s = self.wait_s(now)
        if wait_s > wait_s_max:
            return None
        self._due_at = max(self._due_at, now) + self._spacing_s
        return wait_s

    def give_back(self) -> None:
        """Somebody who took a moment left before it came."""
        self._due_at -= self._spacing_s
