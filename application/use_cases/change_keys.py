"""Looking at one key, giving it another secret, and changing what it may do."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from application.ports.keys import KeyHasher, KeyStore
from application.ports.system import Clock
from application.role_book import RoleBook
from application.tenant_registry import KeyRegistry
from application.use_cases.manage_keys import (
    CreateKey,
    KeysChanged,
    ListKeys,
    RecoverKey,
    RevokeKey,
    tell,
    visible_key,
)
from application.use_cases.turn_peppers import TurnPeppers
from domain.errors import Conflict, InvalidRequest
from domain.tenancy.key import KeyRecord, parse_key
from domain.tenancy.key_rotation import OVERLAP_DEFAULT_S, rotated
from domain.tenancy.key_rules import (
    as_asked,
    check_holds,
    check_new_key,
    check_tenant,
    check_terms,
    grant,
    with_terms,
)
from domain.tenancy.principal import Principal

CHANGEABLE: Final = frozenset(
    {"name", "role", "scopes", "allowed_models", "expires_at", "team", "project", "cost_center", "networks"}
    | {"assertable", "integrations", "managed_budgets"}
)
"""What of a `NewKey` can be changed later."""


class ShowKey:
    def __init__(self, store: KeyStore) -> None:
        self._store = store

    async def __call__(self, by: Principal, key_id: str) -> KeyRecord:
        """One key with its last use. Raises NotFound (also for another tenant's), Forbidden,
        StoreUnavailable."""
        check_tenant(by, by.tenant_id, "keys.read")
        return await visible_key(self._store, by, key_id)


class RotatedKey(NamedTuple):
    """The same key with a new secret; `key` is its text, shown this once."""

    record: KeyRecord
    key: str


class RotateKey:
    def __init__(
        self,
        store: KeyStore,
        hasher: KeyHasher,
        clock: Clock,
        changed: KeysChanged,
        roles: RoleBook | None = None,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._changed = changed
        self._roles = roles or RoleBook()

    async def __call__(self, by: Principal, key_id: str, overlap_s: int = OVERLAP_DEFAULT_S) -> RotatedKey:
        """A new secret; the one before it works on for `overlap_s`. Whoever rotates a key could use it, so
        it must not hold more than they do.

        Raises NotFound, Forbidden, InvalidRequest (`overlap_seconds`), Conflict (revoked, expired, two
        secrets already, or changed at the same time), StoreUnavailable.
        """
        record = await visible_key(self._store, by, key_id)
        check_tenant(by, record.tenant_id, "keys.write")
        check_holds(by, as_asked(record), self._roles.of(record.tenant_id))
        text = self._hasher.new_key(record.env, record.key_id)
        parsed = parse_key(text)
        assert parsed is not None, "the hasher makes keys"
        hashed = self._hasher.hash(parsed)
        wanted = rotated(
            record, hashed.digest, hashed.pepper_version, overlap_s=overlap_s, now=self._clock.utc_now()
        )
        return RotatedKey(await _kept(self._store, wanted, self._changed), text)


class ChangeKey:
    def __init__(
        self,
        store: KeyStore,
        clock: Clock,
        changed: KeysChanged,
        roles: RoleBook | None = None,
        registry: KeyRegistry | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed
        self._roles = roles or RoleBook()
        self._registry = registry

    async def __call__(self, by: Principal, key_id: str, changes: Mapping[str, Any]) -> KeyRecord:
        """`changes` holds values of `CHANGEABLE` fields by name, as in `NewKey`; the others stay.

        Neither the key as it was nor as it will be may hold more than `by`.

        Raises NotFound, Forbidden, InvalidRequest (names the field), Conflict (revoked, or changed at the
        same time), StoreUnavailable.
        """
        if unknown := sorted(set(changes) - CHANGEABLE):
            raise InvalidRequest(f"{unknown[0]} of a key cannot be changed", param=unknown[0])
        record = await visible_key(self._store, by, key_id)
        check_tenant(by, record.tenant_id, "keys.write")
        before, roles = as_asked(record), self._roles.of(record.tenant_id)
        check_holds(by, before, roles)
        if record.revoked_at is not None:
            raise Conflict(f"key {key_id} is revoked for good; make a new one", param="key_id")
        wanted = replace(before, **changes)
        if "expires_at" in changes:
            check_new_key(wanted, self._clock.utc_now(), roles)
        else:
            check_terms(wanted, roles)
        if self._registry is not None and "project" in changes:
            wanted = await self._registry.vet(wanted)
        return await _kept(self._store, with_terms(record, grant(by, wanted, roles)), self._changed)


async def _kept(store: KeyStore, wanted: KeyRecord, changed: KeysChanged) -> KeyRecord:
    kept = await store.change(wanted)
    if kept is None:
        raise Conflict(f"key {wanted.key_id} was changed by somebody else just now; look again")
    await tell(changed)
    return replace(kept, last_used_at=wanted.last_used_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUseCases:
    """What the `keys` commands need, resolved once. `clock` turns `--expires 90d` into a moment."""

    create: CreateKey
    list: ListKeys
    show: ShowKey
    revoke: RevokeKey
    rotate: RotateKey
    change: ChangeKey
    recover: RecoverKey
    peppers: TurnPeppers
    clock: Clock
