"""Erasures in memory."""

from dataclasses import replace

from application.ports.subjects import ErasureLog
from domain.errors import StoreUnavailable
from domain.privacy.erasure import Erasure, ErasureState


class InMemoryErasureLog(ErasureLog):
    """For tests. `reachable = False` makes it unreachable."""

    def __init__(self) -> None:
        self.reachable = True
        self._rows: dict[str, Erasure] = {}
        self._claimed: dict[str, int] = {}

    async def begin(self, erasure: Erasure) -> Erasure:
        self._check()
        for each in self._rows.values():
            same = (each.tenant_id, each.user_id) == (erasure.tenant_id, erasure.user_id)
            if same and each.state is ErasureState.RUNNING:
                return each
        self._rows[erasure.erasure_id] = erasure
        return erasure

    async def get(self, tenant_id: str, erasure_id: str) -> Erasure | None:
        self._check()
        found = self._rows.get(erasure_id)
        return found if found is not None and found.tenant_id == tenant_id else None

    async def newest(self, tenant_id: str, limit: int) -> list[Erasure]:
        self._check()
        mine = [each for each in self._rows.values() if each.tenant_id == tenant_id]
        return sorted(mine, key=lambda each: (each.started_at_us, each.erasure_id), reverse=True)[:limit]

    async def unfinished(self) -> list[str]:
        self._check()
        return [each.erasure_id for each in self._open()]

    async def claim(self, now_us: int, until_us: int) -> Erasure | None:
        self._check()
        for each in self._open():
            if self._claimed.get(each.erasure_id, 0) <= now_us:
                self._claimed[each.erasure_id] = until_us
                return each
        return None

    async def save(self, erasure: Erasure, *, until_us: int) -> None:
        self._check()
        self._rows[erasure.erasure_id] = replace(erasure)
        self._claimed[erasure.erasure_id] = until_us

    def _open(self) -> list[Erasure]:
        found = [each for each in self._rows.values() if each.state is not ErasureState.DONE]
        return sorted(found, key=lambda each: each.started_at_us)

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the erasures cannot be reached", retry_after_s=1.0)
