"""API keys in memory: for tests and simulations; gone with the process."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from application.ports.keys import KeyChanges, KeyPages, KeyQuery, KeyStore, KeyUses, Rehash
from domain.errors import Conflict, StoreUnavailable
from domain.tenancy.key import KeyRecord


class InMemoryKeyStore(KeyStore, KeyPages, KeyUses):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._records: dict[str, KeyRecord] = {}
        self._used: dict[str, datetime] = {}
        self._generation = 0

    async def add(self, record: KeyRecord) -> None:
        self._check()
        if record.key_id in self._records:
            raise Conflict(f"key {record.key_id} exists")
        self._put(record)

    async def all(self) -> list[KeyRecord]:
        self._check()
        return list(self._records.values())

    async def get(self, key_id: str) -> KeyRecord | None:
        self._check()
        record = self._records.get(key_id)
        return None if record is None else self._with_use(record)

    async def change(self, record: KeyRecord) -> KeyRecord | None:
        self._check()
        known = self._records.get(record.key_id)
        if known is None or known.revision != record.revision or known.revoked_at is not None:
            return None
        return self._put(record)

    async def revoke(
        self, tenant_id: str, key_id: str, at: datetime, *, by: str = "", reason: str = ""
    ) -> bool:
        self._check()
        record = self._records.get(key_id)
        if record is None or record.tenant_id != tenant_id or record.revoked_at is not None:
            return False
        self._put(replace(record, revoked_at=at, revoked_by=by, revoked_reason=reason))
        return True

    async def generation(self) -> int:
        self._check()
        return self._generation

    async def changes(self, since: int) -> KeyChanges:
        self._check()
        since = -1 if since > self._generation else since
        found = [record for record in self._records.values() if record.revision > since]
        return KeyChanges(self._generation, found)

    async def page(self, query: KeyQuery) -> list[KeyRecord]:
        self._check()
        found = sorted(
            (record for record in self._records.values() if _meant(record, query)),
            key=lambda record: (record.created_at, record.key_id),
        )
        return [self._with_use(record) for record in found[: query.limit]]

    async def per_pepper(self, now: datetime) -> Mapping[int, int]:
        self._check()
        counts: Counter[int] = Counter()
        for record in self._records.values():
            if record.live(now):
                counts[record.pepper_version] += 1
                if (old := record.overlap(now)) is not None:
                    counts[old.pepper_version] += 1
        return counts

    async def used(self, key_ids: Sequence[str], at: datetime) -> None:
        self._check()
        for key_id in key_ids:
            self._used[key_id] = max(at, self._used.get(key_id, at))

    async def rehash(self, found: Sequence[Rehash]) -> int:
        self._check()
        done = 0
        for key_id, before, after in found:
            record = self._records.get(key_id)
            if record is not None and (record.hash, record.pepper_version) == before:
                self._put(replace(record, hash=after.digest, pepper_version=after.pepper_version))
                done += 1
        return done

    def _put(self, record: KeyRecord) -> KeyRecord:
        self._generation += 1
        kept = self._records[record.key_id] = replace(record, revision=self._generation, last_used_at=None)
        return kept

    def _with_use(self, record: KeyRecord) -> KeyRecord:
        return replace(record, last_used_at=self._used.get(record.key_id))

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the key store is not reachable")


def _meant(record: KeyRecord, query: KeyQuery) -> bool:
    return (
        query.tenant_id in (None, record.tenant_id)
        and query.role in (None, record.role)
        and query.state in (None, record.state(query.now))
        and (query.name is None or query.name.lower() in record.name.lower())
        and (query.after is None or (record.created_at, record.key_id) > query.after)
    )
