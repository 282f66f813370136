"""Who holds this key? Answered from memory, from a snapshot that follows the store.

A changed key reaches every instance with its next `refresh` (run it at least every half second). While
the store is down the last snapshot keeps serving for a bounded time; after that the answer is "cannot
tell" (503), never "wrong key" (401), because a client throws a refused key away.
"""

import asyncio
import hashlib
import hmac
from datetime import datetime
from typing import Final, NamedTuple

from application.ports.keys import KeyHash, KeyHasher, KeyStore
from application.ports.system import Clock
from domain.errors import StoreUnavailable, Unauthenticated
from domain.tenancy.imported_key import SHA256_SCHEME
from domain.tenancy.key import KEY_LENGTH_MAX, KEY_SHAPE, OWN_SCHEME, KeyRecord, parse_key
from domain.tenancy.principal import Principal
from domain.tenancy.role import permissions_of

MAX_STALE_S: Final = 300.0
WARM_KEYS_MAX: Final = 10_000

_REFUSED: Final = "this API key is unknown, expired or revoked"
_MALFORMED: Final = f"this is not an API key of Interchange: a key has the form {KEY_SHAPE}"


class _Holder(NamedTuple):
    principal: Principal
    kept: KeyHash
    expires_at: datetime | None


class KeyRing:
    """Authenticates synchronously; `refresh` or `watch` keeps it current.

    A key that was seen before is found by the digest of its whole text, so that neither plain keys nor
    prefixes are kept. At most `warm_keys_max` digests are remembered; every refreshed snapshot starts anew.
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
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._max_stale_s = max_stale_s
        self._warm_keys_max = warm_keys_max
        self._holders: dict[str, _Holder] = {}
        self._imported: dict[bytes, _Holder] = {}
        self._warm: dict[bytes, _Holder] = {}
        self._generation: int | None = None
        self._confirmed_at_s: float | None = None
        self._refreshing = asyncio.Lock()

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
        holder = self._warm.get(digest) or self._admit(token, digest)
        if holder.expires_at is not None and self._clock.utc_now() >= holder.expires_at:
            raise Unauthenticated(_REFUSED)
        return holder.principal

    def holder_of(self, tenant_id: str, key_id: str) -> Principal:
        """Who holds this key now, for work that goes on after its request: the permissions of this moment.

        Raises:
            Unauthenticated: unknown in this tenant, expired or revoked.
            StoreUnavailable: as `authenticate`.
        """
        self._require_fresh()
        holder = self._holders.get(key_id)
        if holder is None or holder.principal.tenant_id != tenant_id:
            raise Unauthenticated(_REFUSED)
        if holder.expires_at is not None and self._clock.utc_now() >= holder.expires_at:
            raise Unauthenticated(_REFUSED)
        return holder.principal

    def known_holder(self, tenant_id: str, key_id: str) -> Principal | None:
        """Who held this key when it was last seen, for the rows of work that was done; None: unknown, or
        revoked since."""
        holder = self._holders.get(key_id)
        return None if holder is None or holder.principal.tenant_id != tenant_id else holder.principal

    def expires_at(self, principal: Principal) -> datetime | None:
        """When the key of a principal expires; None: never, or it is known no more."""
        own = self._holders.get(principal.key_id)
        holders = self._imported.values() if own is None else (own,)
        return next((each.expires_at for each in holders if each.principal.key_id == principal.key_id), None)

    def _require_fresh(self) -> None:
        confirmed_at_s = self._confirmed_at_s
        if confirmed_at_s is None or self._clock.monotonic() - confirmed_at_s > self._max_stale_s:
            raise StoreUnavailable(
                "API keys cannot be checked: the key store is not reachable", retry_after_s=1.0
            )

    def _admit(self, token: str, digest: bytes) -> _Holder:
        key = parse_key(token)
        if key is None:
            holder = self._imported_holder(digest)
        else:
            known = self._holders.get(key.key_id)
            if known is None or not self._hasher.matches(key, known.kept):
                raise Unauthenticated(_REFUSED)
            holder = known
        if len(self._warm) >= self._warm_keys_max:
            self._warm.clear()
        self._warm[digest] = holder
        return holder

    def _imported_holder(self, digest: bytes) -> _Holder:
        if not self._imported:
            raise Unauthenticated(_MALFORMED)
        for candidate in self._hasher.imported_candidates(digest):
            holder = self._imported.get(candidate.digest)
            if holder is not None and hmac.compare_digest(holder.kept.digest, candidate.digest):
                return holder
        raise Unauthenticated(_REFUSED)

    async def refresh(self) -> None:
        """Takes over what changed in the store. Raises StoreUnavailable; the last snapshot stays."""
        async with self._refreshing:
            asked_at_s = self._clock.monotonic()
            # Asked before the keys are read: a change in between is seen again next time, never missed.
            generation = await self._store.generation()
            if generation != self._generation:
                records = await self._store.all()
                live = [record for record in records if record.revoked_at is None]
                self._holders = {r.key_id: _holder(r) for r in live if r.scheme == OWN_SCHEME}
                self._imported = {r.hash: _holder(r) for r in live if r.scheme == SHA256_SCHEME}
                self._warm = {}
                self._generation = generation
            self._confirmed_at_s = asked_at_s

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


def _holder(record: KeyRecord) -> _Holder:
    principal = Principal(
        tenant_id=record.tenant_id,
        key_id=record.key_id,
        key_name=record.name,
        role=record.role,
        permissions=permissions_of(record.role, record.tenant_id, record.permissions),
        allowed_models=record.allowed_models,
        team=record.team,
        project=record.project,
        cost_center=record.cost_center,
    )
    return _Holder(principal, KeyHash(record.hash, record.pepper_version), record.expires_at)
