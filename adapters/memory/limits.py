"""Rate limits made through the API, in memory: for tests and simulations; gone with the process."""

from application.ports.limits import LimitStore, StoredLimit
from domain.errors import Conflict, StoreUnavailable


class InMemoryLimitStore(LimitStore):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._limits: dict[str, StoredLimit] = {}
        self._generation = 0

    async def all(self) -> list[StoredLimit]:
        self._check()
        return sorted(self._limits.values())

    async def put(self, limit: StoredLimit) -> bool:
        self._check()
        known = self._limits.get(limit.limit_id)
        if known is not None and known.tenant_id != limit.tenant_id:
            raise Conflict(f"the id {limit.limit_id} is taken", param="limit_id")
        for other in self._limits.values():
            same = (other.tenant_id, other.name) == (limit.tenant_id, limit.name)
            if same and other.limit_id != limit.limit_id:
                raise Conflict(f"another rate limit is called {limit.name!r}", param="name")
        new = limit.limit_id not in self._limits
        self._limits[limit.limit_id] = limit
        self._generation += 1
        return new

    async def delete(self, tenant_id: str, limit_id: str) -> bool:
        self._check()
        found = self._limits.get(limit_id)
        if found is None or found.tenant_id != tenant_id:
            return False
        del self._limits[limit_id]
        self._generation += 1
        return True

    async def generation(self) -> int:
        self._check()
        return self._generation

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store of rate limits is not reachable")
