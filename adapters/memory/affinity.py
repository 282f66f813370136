"""Conversations' places in memory: for tests and simulations; gone with the process."""

from collections.abc import Sequence

from application.ports.affinity import AffinityChanges, AffinityRow, AffinityStore
from domain.errors import StoreUnavailable


class InMemoryAffinityStore(AffinityStore):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._rows: dict[tuple[bytes, str], tuple[int, AffinityRow]] = {}
        self._revision = 0

    async def save(self, rows: Sequence[AffinityRow]) -> None:
        self._check()
        for row in rows:
            at = (row.key, row.place.target_id)
            known = self._rows.get(at)
            if known is None or known[1].place.used_at_us <= row.place.used_at_us:
                self._revision += 1
                self._rows[at] = (self._revision, row)

    async def changes(self, after: int, *, limit: int) -> AffinityChanges:
        self._check()
        found = sorted(pair for pair in self._rows.values() if pair[0] > after)[:limit]
        return AffinityChanges([row for _, row in found], found[-1][0] if found else after)

    async def forget(self, *, before_us: int, keep_max: int) -> int:
        self._check()
        newest = sorted(self._rows, key=lambda at: -self._rows[at][1].place.used_at_us)
        kept = {at for at in newest[:keep_max] if self._rows[at][1].place.used_at_us >= before_us}
        gone = len(self._rows) - len(kept)
        self._rows = {at: pair for at, pair in self._rows.items() if at in kept}
        return gone

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the affinity store is not reachable")
