"""Keys that end soon, of a store in memory: for tests and simulations."""

from datetime import datetime

from application.ports.expiring_keys import ExpiringKeys
from application.ports.keys import KeyStore
from domain.tenancy.key import KeyRecord


class InMemoryExpiringKeys(ExpiringKeys):
    def __init__(self, store: KeyStore) -> None:
        self._store = store

    async def ending(self, after: datetime, before: datetime, *, limit: int) -> list[KeyRecord]:
        found = [
            (record.expires_at, record.key_id, record)
            for record in await self._store.all()
            if record.revoked_at is None
            and record.expires_at is not None
            and after < record.expires_at < before
        ]
        return [record for _, _, record in sorted(found, key=lambda each: each[:2])[:limit]]
