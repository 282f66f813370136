"""Taking over keys that another gateway made, so that nobody has to hand out new ones."""

from collections.abc import Sequence
from typing import NamedTuple

from application.ports.keys import KeyHasher, KeyStore
from application.ports.system import Clock
from domain.errors import Conflict, Forbidden
from domain.tenancy.imported_key import SHA256_SCHEME, ImportedKey, check_imported_key, imported_key_id
from domain.tenancy.key import KeyRecord
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal
from domain.tenancy.role import permissions_of


class KeysTaken(NamedTuple):
    """Ids of the keys that are new here, and of those an earlier import had brought."""

    new: tuple[str, ...]
    known: tuple[str, ...]


class ImportKeys:
    """Stores foreign keys under a hash of their digest. Their texts are neither needed nor known."""

    def __init__(self, store: KeyStore, hasher: KeyHasher, clock: Clock) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock

    async def __call__(self, by: Principal, keys: Sequence[ImportedKey]) -> KeysTaken:
        """All keys are checked before the first is stored; one that is here already stays as it is.

        Raises Forbidden, InvalidRequest (names the field), StoreUnavailable.
        """
        records = [self._record(by, key) for key in keys]
        new: list[str] = []
        known: list[str] = []
        for record in records:
            try:
                await self._store.add(record)
                new.append(record.key_id)
            except Conflict:
                known.append(record.key_id)
        return KeysTaken(tuple(new), tuple(known))

    def _record(self, by: Principal, key: ImportedKey) -> KeyRecord:
        check_tenant(by, key.tenant_id, "keys.write")
        check_imported_key(key)
        if not permissions_of(key.role, key.tenant_id) <= by.permissions:
            raise Forbidden("an imported key cannot hold what its importer does not", param="role")
        hashed = self._hasher.hash_imported(key.digest)
        return KeyRecord(
            key_id=imported_key_id(key.digest),
            tenant_id=key.tenant_id,
            name=key.name,
            role=key.role,
            hash=hashed.digest,
            pepper_version=hashed.pepper_version,
            created_at=key.created_at,
            allowed_models=key.allowed_models,
            expires_at=key.expires_at,
            revoked_at=self._clock.utc_now() if key.blocked else None,
            scheme=SHA256_SCHEME,
            note=key.note,
            team=key.team,
            project=key.project,
            cost_center=key.cost_center,
        )
