"""Stored answers in memory: for tests and simulations; gone with the process."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from application.ports.stored_answers import StoredAnswer, StoredAnswers
from domain.errors import StoreUnavailable


class InMemoryStoredAnswers(StoredAnswers):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._entries: dict[tuple[str, str], StoredAnswer] = {}

    async def put(self, answers: Sequence[StoredAnswer]) -> None:
        self._check()
        self._entries.update({(answer.tenant_id, answer.id): answer for answer in answers})

    async def get(self, tenant_id: str, ids: Collection[str], *, now_us: int) -> Mapping[str, StoredAnswer]:
        self._check()
        found = {one: entry for one in ids if (entry := self._entries.get((tenant_id, one))) is not None}
        return {one: entry for one, entry in found.items() if entry.expires_at_us > now_us}

    async def delete(self, tenant_id: str, answer_id: str) -> bool:
        self._check()
        return self._entries.pop((tenant_id, answer_id), None) is not None

    async def settle(self, tenant_id: str, answer_id: str) -> bool:
        self._check()
        entry = self._entries.get((tenant_id, answer_id))
        if entry is None or entry.open_bill is None:
            return False
        self._entries[tenant_id, answer_id] = entry._replace(open_bill=None)
        return True

    async def unsettled(self, *, before_us: int, limit: int) -> Sequence[StoredAnswer]:
        self._check()
        open_ones = [
            entry
            for entry in self._entries.values()
            if entry.open_bill is not None and entry.created_at_us < before_us
        ]
        return sorted(open_ones, key=lambda entry: entry.created_at_us)[:limit]

    async def purge(self, *, now_us: int, per_tenant_max: int) -> int:
        self._check()
        by_tenant: dict[str, list[StoredAnswer]] = defaultdict(list)
        gone: list[StoredAnswer] = []
        for entry in self._entries.values():
            if entry.open_bill is not None:
                continue
            (gone if entry.expires_at_us <= now_us else by_tenant[entry.tenant_id]).append(entry)
        for entries in by_tenant.values():
            entries.sort(key=lambda entry: entry.created_at_us)
            gone += entries[: max(0, len(entries) - per_tenant_max)]
        for entry in gone:
            del self._entries[entry.tenant_id, entry.id]
        return len(gone)

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store of answers is not reachable")
