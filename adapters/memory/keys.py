"""API keys in memory: for tests and simulations; gone with the process."""

from dataclasses import replace
from datetime import datetime

from application.ports.keys import KeyStore
from domain.errors import Conflict, StoreUnavailable
from domain.tenancy.key import KeyRecord


class InMemoryKeyStore(KeyStore):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._records: dict[str, KeyRecord] = {}
        self._generation = 0

    async def add(self, record: KeyRecord) -> None:
        self._check()
        if record.key_id in self._records:
            raise Conflict(f"key {record.key_id} exists")
        self._records[record.key_id] = record
        self._generation += 1

    async def all(self) -> list[KeyRecord]:
        self._check()
        return list(self._records.values())

    async def revoke(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        self._check()
        record = self._records.get(key_id)
        if record is None or record.tenant_id != tenant_id or record.revoked_at is not None:
            return False
        self._records[key_id] = replace(record, revoked_at=at)
        self._generation += 1
        return True

    async def generation(self) -> int:
        self._check()
        return self._generation

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the key store is not reachable")
