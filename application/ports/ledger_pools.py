"""Who shares a pool of leases: kept where the ledger is kept, so that it outlives what deals from the pool.

Failure policy: closed. `StoreUnavailable` says that nothing is known about what happened; every call may be
made again.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

from domain.budgets.pool import Membership, PoolMember


class LedgerPools(Protocol):
    """Pools and members are holders of the same ledger; each call is one step that nothing comes between."""

    @abstractmethod
    async def join(self, holder: str, new_pool: str, now_us: int) -> str:
        """The pool of a holder: where it is already, else the one that takes members, else `new_pool`, which
        is made. Opens both. Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def beat(self, holder: str, now_us: int) -> Membership:
        """How the holder stands to its pool; a sign of life of both while that is open. Raises
        StoreUnavailable.
        """
        ...

    @abstractmethod
    async def pool_of(self, holder: str) -> str | None:
        """The pool it joined, also after it left. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def members(self, pool: str) -> list[PoolMember]:
        """Those that have not left. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def in_use(self) -> list[str]:
        """Pools that take members, by name. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def retire(self, pool: str) -> None:
        """No member joins any more, and `beat` tells those there are. Idempotent. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def leave(self, holder: str, now_us: int) -> None:
        """Closes the holder; the last one to leave closes the pool, and what was not charged is free. After
        all it charged was posted. Idempotent; unknown holders are no error. Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def settled_by(self, holder: str) -> dict[str, int]:
        """What attempts that this holder held were charged, by account; nano-dollars. Raises
        StoreUnavailable.
        """
        ...

    @abstractmethod
    async def give_back(self, pool: str, returned: Mapping[str, int], now_us: int) -> dict[str, int]:
        """Takes what the pool gave back so far, by account: totals, and less than before changes nothing.
        Declares no account, and grants nothing.

        Returns what the pool was granted in all, for those of the accounts it still has something of. Raises
        StoreUnavailable.
        """
        ...

    @abstractmethod
    async def book(self, holder: str, dealt: Mapping[str, int], now_us: int) -> dict[str, int]:
        """Books, as unresolved (`lost:<holder>`), what a lost member was dealt less what it was charged, and
        takes it from the pool; how much that is by account, the same when it was done before. Raises
        StoreUnavailable.
        """
        ...
