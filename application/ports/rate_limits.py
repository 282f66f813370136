"""Where the units of rate limits are counted, for all instances together.

Failure policy: raises `StoreUnavailable`. Whoever asked goes on with what it was granted and refuses what is
beyond, so that a limit is never passed; what a question without an answer did is not known, and whoever asked
gives nothing of it back again.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from domain.limits.bucket import Asked, LimitRule, Told


class LimitLine(NamedTuple):
    """What is asked about one account: a bucket with its rule, or, without one, a quota of `amount` that ends
    at `ends_us` (UTC epoch microseconds)."""

    account_id: str
    rule: LimitRule | None
    amount: int
    asked: Asked
    ends_us: int | None = None


class RateLimitStore(Protocol):
    """One clock for all who ask: the store's own."""

    @abstractmethod
    async def begin(self) -> None:
        """To be called once before anybody is limited. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def exchange(self, holder: str, number: int, lines: Sequence[LimitLine]) -> list[Told]:
        """Asks about accounts, each for itself; answers in the order of the lines, each account once.

        A holder counts its questions up: what comes twice gives nothing back twice. Cancelled, it may have
        been answered. Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def tidy(self) -> None:
        """Forgets what says nothing any more. Raises StoreUnavailable."""
        ...
