"""Too much money in too little time, for one agent, session or key."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

SLICES: Final = 12
"""A window is counted in so many slices: the sum covers the window, and up to one slice more."""


class SpendScope(Enum):
    """Whose spending is counted together, and who is stopped."""

    AGENT = "agent"
    SESSION = "session"
    USER = "user"
    KEY = "key"
    WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRateRule:
    """More than `limit_nano_usd` within `per_s` seconds is too fast.

    `route` is the one whose cost is counted; empty: that of every route without a rule of its own.
    """

    limit_nano_usd: int
    per_s: float
    scope: SpendScope = SpendScope.AGENT
    route: str = ""


class SpendRate:
    """What one subject spent within the last `per_s` seconds, in bounded memory.

    Told the time, monotonic seconds. Costs are counted when they are settled.
    """

    __slots__ = ("_amounts", "_slice", "_slice_s")

    def __init__(self, per_s: float) -> None:
        if per_s <= 0:
            raise ValueError("a window has a length")
        self._slice_s = per_s / SLICES
        # One more than make up the window, so that nothing within it is ever left out.
        self._amounts = [0] * (SLICES + 1)
        self._slice: int | None = None

    def add(self, nano_usd: int, now: float) -> int:
        """Counts a cost; what was spent within the window, this included. A time that goes back counts as
        the latest one seen."""
        current = int(now // self._slice_s)
        last = self._slice
        if last is None or current - last > SLICES:
            self._amounts = [0] * (SLICES + 1)
            self._slice = current
        elif current > last:
            for passed in range(last + 1, current + 1):
                self._amounts[passed % (SLICES + 1)] = 0
            self._slice = current
        assert self._slice is not None, "set above"
        self._amounts[self._slice % (SLICES + 1)] += nano_usd
        return sum(self._amounts)
