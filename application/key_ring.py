"""Who holds this key? Answered from memory, from a snapshot that follows the store.

A changed key reaches every instance with its next `refresh` (run it at least every half second), which reads
what changed and nothing else. While the store is down the last snapshot keeps serving for a bounded time;
after that the answer is "cannot tell" (503), never "wrong key" (401), because a client throws a refused key
away.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from application.ports.keys import KeyHash, KeyHasher, KeyStore, Rehash
from application.ports.system import Clock
from application.role_book import RoleBook
from application.tenant_book import TenantBook
from domain.errors import StoreUnavailable, TenantSuspended, Unauthenticated
from domain.tenancy.imported_key import SHA256_SCHEME
from domain.tenancy.key import (
    KEY_LENGTH_MAX,
    KEY_SHAPE,
    OWN_SCHEME,
    KeyRecord,
    OldSecret,
    ParsedKey,
    parse_key,
)
from domain.tenancy.principal import Principal

MAX_STALE_S: Final = 300.0
WARM_KEYS_MAX: Final = 10_000
REHASHES_MAX: Final = 1_000
"""Secrets under an old pepper that wait to be kept under the newest; the others wait for their next use."""

_REFUSED: Final = "this API key is unknown, expired or revoked"
_MALFORMED: Final = f"this is not an API key of Interchange: a key has the form {KEY_SHAPE}"


class _Holder(NamedTuple):
    principal: Principal
    kept: KeyHash
    scheme: str
    expires_at: datetime | None
    old: OldSecret | None
    scopes: frozenset[str] | None
    rotated_at: datetime | None


class _Known(NamedTuple):
    """Whom one secret lets in, and until when."""

    principal: Principal
    ends_at: datetime | None


class _Imported(NamedTuple):
    holder: _Holder
    old: bool


class KeyRing:
    """Authenticates synchronously; `refresh` or `watch` keeps it current.

    A key that was seen before is found by the digest of its whole text, so that neither plain keys nor
    prefixes are kept. At most `warm_keys_max` digests are remembered; every change of any key starts anew.
    Imported keys have any text; they are found by the keyed hash of its digest, never among our own.
    """

    def __init__(
        self,
        store: KeyStore,
        hasher: KeyHasher,
        clock: Clock,
        *,
        max_stale_s: float = MAX_STALE_S,
        warm_keys_max: int = WARM_KEYS_MAX,
        roles: RoleBook | None = None,
        tenants: TenantBook | None = None,
    ) -> None:
        self._roles = roles or RoleBook()
        self._tenants = tenants or TenantBook()
        self._roles.on_change(self._grant_anew)
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._max_stale_s = max_stale_s
        self._warm_keys_max = warm_keys_max
        self._holders: dict[str, _Holder] = {}
        self._imported: dict[bytes, _Imported] = {}
        self._warm: dict[bytes, _Known] = {}
        self._used: set[str] = set()
        self._rehashes: dict[str, Rehash] = {}
        self._generation = -1
        self._confirmed_at_s: float | None = None
        self._refreshing = asyncio.Lock()
        self.on_revoked: Callable[[frozenset[str]], None] = _nobody_asks
        """Told the ids of keys that let nobody in any more, as soon as it is known here."""

    def authenticate(self, token: str) -> Principal:
        """Whose key this is.

        Raises:
            Unauthenticated: malformed (says the form), or unknown, expired or revoked (does not say which).
            StoreUnavailable: the store has not been reached for too long, so nobody can tell.
        """
        self._require_fresh()
        if len(token) > KEY_LENGTH_MAX:
            raise Unauthenticated(_MALFORMED)
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        principal, ends_at = self._warm.get(digest) or self._admit(token, digest)
        if ends_at is not None and self._clock.utc_now() >= ends_at:
            raise Unauthenticated(_REFUSED)
        self._used.add(principal.key_id)
        return principal

    def lets_in_until(self, token: str) -> datetime | None:
        """When what `authenticate` accepts ends by itself: the key's expiry, or the end of a rotation's
        overlap where `token` is the old secret. None: never. Raises as `authenticate`."""
        self.authenticate(token)
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        return self._warm[digest].ends_at

    def secret_version(self, principal: Principal) -> str:
        """Which secret a principal's key has now: another one after each rotation, and no secret itself."""
        holder = self._holders.get(principal.key_id)
        rotated_at = None if holder is None else holder.rotated_at
        return "first" if rotated_at is None else rotated_at.isoformat()

    def holder_of(self, tenant_id: str, key_id: str, *, secret_version: str | None = None) -> Principal:
        """Who holds this key now, for work that goes on after its request: the permissions of this moment.

        With the version of the secret that was shown: one that was replaced since counts for the overlap.

        Raises:
            Unauthenticated: unknown in this tenant, expired or revoked.
            TenantSuspended: nobody of it is let in for now.
            StoreUnavailable: as `authenticate`.
        """
        self._require_fresh()
        if not self._tenants.of(tenant_id).active:
            raise TenantSuspended(tenant_id)
        holder = self._holders.get(key_id)
        if holder is None or holder.principal.tenant_id != tenant_id:
            raise Unauthenticated(_REFUSED)
        if holder.expires_at is not None and self._clock.utc_now() >= holder.expires_at:
            raise Unauthenticated(_REFUSED)
        replaced = secret_version not in (None, self.secret_version(holder.principal))
        if replaced and (holder.old is None or self._clock.utc_now() >= holder.old.until):
            raise Unauthenticated(_REFUSED)
        return holder.principal

    def known_holder(self, tenant_id: str, key_id: str) -> Principal | None:
        """Who held this key when it was last seen, for the rows of work that was done; None: unknown, or
        revoked since."""
        holder = self._holders.get(key_id)
        return None if holder is None or holder.principal.tenant_id != tenant_id else holder.principal

    def holds(self, key_id: str) -> bool:
        """Whether this key is known and not revoked; it may have expired."""
        return key_id in self._holders

    def expires_at(self, principal: Principal) -> datetime | None:
        """When the key of a principal expires; None: never, or it is known no more."""
        holder = self._holders.get(principal.key_id)
        return None if holder is None else holder.expires_at

    def endings(self) -> list[datetime]:
        """When keys expire that are known and do."""
        return [holder.expires_at for holder in self._holders.values() if holder.expires_at is not None]

    def take_used(self) -> set[str]:
        """Ids of the keys that let somebody in since the last time this was asked."""
        used, self._used = self._used, set()
        return used

    def take_rehashes(self) -> list[Rehash]:
        """Secrets seen since then that are still kept under an old pepper, under the newest one."""
        found, self._rehashes = list(self._rehashes.values()), {}
        return found

    def _require_fresh(self) -> None:
        confirmed_at_s = self._confirmed_at_s
        if confirmed_at_s is None or self._clock.monotonic() - confirmed_at_s > self._max_stale_s:
            raise StoreUnavailable(
                "API keys cannot be checked: the key store is not reachable", retry_after_s=1.0
            )

    def _admit(self, token: str, digest: bytes) -> _Known:
        key = parse_key(token)
        known = self._imported_holder(digest) if key is None else self._own_holder(key)
        if len(self._warm) >= self._warm_keys_max:
            self._warm.clear()
        self._warm[digest] = known
        return known

    def _own_holder(self, key: ParsedKey) -> _Known:
        holder = self._holders.get(key.key_id)
        if holder is not None:
            if holder.scheme == OWN_SCHEME and self._hasher.matches(key, holder.kept):
                if holder.kept.pepper_version != self._hasher.newest:
                    self._rehash_later(key.key_id, holder.kept, self._hasher.hash(key))
                return _Known(holder.principal, holder.expires_at)
            old = holder.old
            if old is not None and self._is_old(key, old):
                return _until_overlap_ends(holder, old)
        raise Unauthenticated(_REFUSED)

    def _is_old(self, key: ParsedKey, old: OldSecret) -> bool:
        return old.scheme == OWN_SCHEME and self._hasher.matches(key, KeyHash(old.hash, old.pepper_version))

    def _imported_holder(self, digest: bytes) -> _Known:
        if not self._imported:
            raise Unauthenticated(_MALFORMED)
        candidates = self._hasher.imported_candidates(digest)
        for candidate in candidates:
            found = self._imported.get(candidate.digest)
            if found is None:
                continue
            holder, old = found.holder, found.holder.old
            if found.old and old is not None:
                if hmac.compare_digest(old.hash, candidate.digest):
                    return _until_overlap_ends(holder, old)
            elif hmac.compare_digest(holder.kept.digest, candidate.digest):
                if candidate.pepper_version != self._hasher.newest:
                    self._rehash_later(holder.principal.key_id, holder.kept, candidates[0])
                return _Known(holder.principal, holder.expires_at)
        raise Unauthenticated(_REFUSED)

    def _rehash_later(self, key_id: str, before: KeyHash, after: KeyHash) -> None:
        if len(self._rehashes) < REHASHES_MAX:
            self._rehashes[key_id] = Rehash(key_id, before, after)

    async def refresh(self) -> None:
        """Takes over what changed in the store. Raises StoreUnavailable; the last snapshot stays."""
        async with self._refreshing:
            asked_at_s = self._clock.monotonic()
            if await self._store.generation() != self._generation:
                told = await self._store.changes(self._generation)
                self._take_over(told.records, anew=told.generation < self._generation)
                self._generation = told.generation
            self._confirmed_at_s = asked_at_s

    def _take_over(self, records: list[KeyRecord], *, anew: bool) -> None:
        before = set(self._holders) if anew else {r.key_id for r in records if r.key_id in self._holders}
        for key_id in before:
            self._drop(key_id)
        for record in records:
            if record.revoked_at is None:
                self._put(record)
        self._warm = {}
        revoked = before.difference(self._holders)
        if revoked:
            self.on_revoked(frozenset(revoked))

    def _drop(self, key_id: str) -> None:
        holder = self._holders.pop(key_id)
        self._imported.pop(holder.kept.digest, None)
        if holder.old is not None:
            self._imported.pop(holder.old.hash, None)

    def _put(self, record: KeyRecord) -> None:
        permissions = self._roles.permissions_of(record.role, record.tenant_id, record.permissions)
        self._keep(_holder(record, permissions))

    def _grant_anew(self) -> None:
        """Other roles: whoever holds one may do from now on what it says."""
        for holder in list(self._holders.values()):
            principal = holder.principal
            permissions = self._roles.permissions_of(principal.role, principal.tenant_id, holder.scopes)
            if permissions != principal.permissions:
                self._keep(holder._replace(principal=replace(principal, permissions=permissions)))
        self._warm = {}

    def _keep(self, holder: _Holder) -> None:
        self._holders[holder.principal.key_id] = holder
        if holder.scheme == SHA256_SCHEME:
            self._imported[holder.kept.digest] = _Imported(holder, old=False)
        if holder.old is not None and holder.old.scheme == SHA256_SCHEME:
            self._imported[holder.old.hash] = _Imported(holder, old=True)

    async def watch(self, *, every_s: float = 0.5) -> None:
        """Refreshes until cancelled; an unreachable store is asked again."""
        while True:
            try:
                await self.refresh()
            except StoreUnavailable:
                pass  # `authenticate` speaks up once the snapshot is too old
            await asyncio.sleep(every_s)

    @property
    def stale_for_s(self) -> float | None:
        """Seconds since the store last answered; None before the first answer."""
        if self._confirmed_at_s is None:
            return None
        return self._clock.monotonic() - self._confirmed_at_s


def _until_overlap_ends(holder: _Holder, old: OldSecret) -> _Known:
    ends_at = old.until if holder.expires_at is None else min(old.until, holder.expires_at)
    return _Known(holder.principal, ends_at)


def _nobody_asks(_: frozenset[str]) -> None:
    return None


def _holder(record: KeyRecord, permissions: frozenset[str]) -> _Holder:
    principal = Principal(
        tenant_id=record.tenant_id,
        key_id=record.key_id,
        key_name=record.name,
        role=record.role,
        permissions=permissions,
        allowed_models=record.allowed_models,
        team=record.team,
        project=record.project,
        cost_center=record.cost_center,
        networks=record.networks,
        assertable=record.assertable,
        integrations=record.integrations,
        managed_budgets=record.managed_budgets,
    )
    kept = KeyHash(record.hash, record.pepper_version)
    return _Holder(
        principal,
        kept,
        record.scheme,
        record.expires_at,
        record.old_secret,
        record.permissions,
        record.rotated_at,
    )
