"""Recommendations in a dictionary."""

from collections.abc import Sequence
from dataclasses import replace

from application.ports.optimizations import Optimizations, ordered, too_many
from domain.analytics.recommendation import Recommendation, Status, as_gone, as_seen
from domain.errors import StoreUnavailable


class InMemoryOptimizations(Optimizations):
    """`reachable` is for tests."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Recommendation]] = {}
        self.reachable = True

    async def of(self, tenant_id: str) -> list[Recommendation]:
        self._require()
        return ordered(list(self._rows.get(tenant_id, {}).values()))

    async def keep(self, tenant_id: str, found: Sequence[Recommendation]) -> None:
        self._require()
        known = self._rows.get(tenant_id, {})
        seen = {one.optimization_id: as_seen(known.get(one.optimization_id), one) for one in found}
        gone = {key: as_gone(one) for key, one in known.items() if key not in seen}
        kept = {**gone, **seen}
        for one in too_many(list(kept.values())):
            del kept[one.optimization_id]
        self._rows[tenant_id] = kept

    async def decide(
        self, tenant_id: str, optimization_id: str, status: Status, *, by: str, at_us: int
    ) -> Recommendation | None:
        self._require()
        mine = self._rows.get(tenant_id, {})
        if optimization_id not in mine:
            return None
        mine[optimization_id] = replace(
            mine[optimization_id], status=status, decided_by=by, decided_at_us=at_us
        )
        return mine[optimization_id]

    def _require(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the recommendations cannot be reached")
