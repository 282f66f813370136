"""When an endpoint that takes nothing any more is given up.

The rule is Svix's: a clock starts once deliveries failed within a day, at least twelve hours apart, with none
that arrived in between; five days of only failures later the endpoint is disabled. One success ends it all.
"""

from typing import Final, NamedTuple

HOUR_S: Final = 3600.0
CLOSE_TOGETHER_S: Final = 24 * HOUR_S
FAR_APART_S: Final = 12 * HOUR_S
DISABLED_AFTER_S: Final = 5 * 24 * HOUR_S


class FailureRun(NamedTuple):
    """Failures since the last success. Times are UTC seconds; None: not begun."""

    first_at_s: float | None = None
    clock_since_s: float | None = None

    def failed(self, now_s: float) -> "FailureRun":
        """One more failure."""
        if self.first_at_s is None:
            return FailureRun(now_s, None)
        if self.clock_since_s is not None:
            return self
        apart_s = now_s - self.first_at_s
        if apart_s > CLOSE_TOGETHER_S:
            return FailureRun(now_s, None)
        return FailureRun(self.first_at_s, now_s) if apart_s >= FAR_APART_S else self

    def is_over(self, now_s: float, disabled_after_s: float = DISABLED_AFTER_S) -> bool:
        """Whether it lasted so long that the endpoint is to be disabled."""
        return self.clock_since_s is not None and now_s - self.clock_since_s >= disabled_after_s


WELL: Final = FailureRun()
