"""Reading what was decided and what came of it, for backtests.

Failure policy: raises `StoreUnavailable`; nothing on the hot path asks.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from domain.backtest.record import Record

RECORDS_MAX: Final = 100_000
"""The most that a backtest is made of."""
READ_MAX: Final = RECORDS_MAX + 1
"""The most that is read at once: one more tells that there are more."""
COUNTED_CACHES: Final = ("off", "bypass", "miss", "observe")
"""What the cache did to requests that were decided and answered for their caller: no hits, and no calls that
run beside requests."""
COUNTED_OUTCOMES: Final = ("ok", "error", "cut", "cancelled")
"""Not those that were refused. Whoever leaves may have left because of the target: without them, a slow one
would be judged by the patient alone."""


class DecisionsWanted(NamedTuple):
    """Requests of one tenant on one route that began within this time, `to_us` exclusive."""

    tenant_id: str
    route: str
    from_us: int
    to_us: int


class DecisionLog(Protocol):
    @abstractmethod
    async def newest(self, wanted: DecisionsWanted, *, limit: int) -> Sequence[Record]:
        """At most `limit` (up to `READ_MAX`) of those that were planned and not refused, the latest
        beginning first. Raises StoreUnavailable."""
        ...
