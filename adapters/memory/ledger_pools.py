"""Pools of leases in memory, beside the ledger in memory: for tests and simulations."""

from collections.abc import Mapping

from adapters.memory.ledger import InMemoryLedger
from application.ports.ledger_pools import LedgerPools
from domain.budgets.pool import Membership, PoolBook, PoolMember
from domain.errors import StoreUnavailable


class InMemoryLedgerPools(LedgerPools):
    """Reachable as long as its ledger is."""

    def __init__(self, ledger: InMemoryLedger) -> None:
        self._store = ledger
        self.book_of_pools = PoolBook(ledger.ledger)

    async def join(self, holder: str, new_pool: str, now_us: int) -> str:
        return self._book().join(holder, new_pool, now_us)

    async def beat(self, holder: str, now_us: int) -> Membership:
        return self._book().beat(holder, now_us)

    async def pool_of(self, holder: str) -> str | None:
        return self._book().pool_of.get(holder)

    async def members(self, pool: str) -> list[PoolMember]:
        return self._book().members(pool)

    async def in_use(self) -> list[str]:
        book = self._book()
        return sorted(pool for pool in book.pools if pool not in book.retired)

    async def retire(self, pool: str) -> None:
        self._book().retire(pool)

    async def leave(self, holder: str, now_us: int) -> None:
        self._book().leave(holder, now_us)

    async def settled_by(self, holder: str) -> dict[str, int]:
        return self._book().settled_by(holder)

    async def give_back(self, pool: str, returned: Mapping[str, int], now_us: int) -> dict[str, int]:  # noqa: ARG002
        return self._book().give_back(pool, returned)

    async def book(self, holder: str, dealt: Mapping[str, int], now_us: int) -> dict[str, int]:
        return self._book().book(holder, dealt, now_us)

    def _book(self) -> PoolBook:
        if not self._store.reachable:
            raise StoreUnavailable("the ledger is not reachable", retry_after_s=1.0)
        return self.book_of_pools
