"""Making, listing, revoking and recovering API keys. A key's text is returned once and never kept."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NamedTuple

from application.ports.keys import KeyHasher, KeyStore, OwnerKeyFile
from application.ports.system import Clock
from application.role_book import RoleBook
from application.tenant_registry import KeyRegistry
from domain.errors import Conflict, InvalidRequest, NotFound, StoreUnavailable
from domain.tenancy.key import OWN_SCHEME, KeyRecord, parse_key
from domain.tenancy.key_rules import LIVE, NewKey, check_new_key, check_revocation, check_tenant, grant
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT, OWNER

REASON_LENGTH_MAX: Final = 500
_THE_MACHINE: Final = "local"

KeysChanged = Callable[[], Awaitable[None]]
"""Told after a change, so that this instance knows at once; the others follow within their refresh."""


class CreatedKey(NamedTuple):
    """A new key. `key` is its text, shown this once."""

    key_id: str
    key: str
    record: KeyRecord


async def _nobody_to_tell() -> None:
    return None


async def tell(changed: KeysChanged) -> None:
    """Passes the news on as far as they get."""
    # The change is in the store already; a key's text must not be lost because the news travel slowly.
    with suppress(StoreUnavailable):
        await changed()


class CreateKey:
    """`registry` has a word about projects, and hears of tenants that were unknown."""

    def __init__(
        self,
        store: KeyStore,
        hasher: KeyHasher,
        clock: Clock,
        changed: KeysChanged = _nobody_to_tell,
        roles: RoleBook | None = None,
        registry: KeyRegistry | None = None,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._changed = changed
        self._roles = roles or RoleBook()
        self._registry = registry

    async def __call__(self, by: Principal, new: NewKey) -> CreatedKey:
        """Raises InvalidRequest (names the field), Forbidden, StoreUnavailable."""
        created = self.prepared(by, await self.vetted(by, new))
        await self.keep(created)
        return created

    async def vetted(self, by: Principal, new: NewKey) -> NewKey:
        """The key as its tenant wants it. Raises InvalidRequest (`project`), Forbidden, StoreUnavailable."""
        check_tenant(by, new.tenant_id, "keys.write")
        return new if self._registry is None else await self._registry.vet(new)

    def prepared(self, by: Principal, new: NewKey) -> CreatedKey:
        """The key as it would be; nobody knows it until it is kept. Raises InvalidRequest, Forbidden."""
        check_tenant(by, new.tenant_id, "keys.write")
        roles = self._roles.of(new.tenant_id)
        check_new_key(new, self._clock.utc_now(), roles)
        granted = grant(by, new, roles)
        return _made(self._hasher, self._clock, granted, self._hasher.new_key(new.env), by.key_id)

    async def keep(self, created: CreatedKey) -> None:
        """From now on it lets its holder in. Raises Conflict (too many tenants), StoreUnavailable."""
        tenant_id = created.record.tenant_id
        if self._registry is not None:
            await self._registry.register(tenant_id)
        await self._store.add(created.record)
        if self._registry is not None:
            # Removed in between, with nothing left in it yet? A key keeps it from now on.
            with suppress(StoreUnavailable, Conflict):
                await self._registry.register(tenant_id)
        await tell(self._changed)


class ListKeys:
    def __init__(self, store: KeyStore) -> None:
        self._store = store

    async def __call__(self, by: Principal, tenant_id: str | None = None) -> list[KeyRecord]:
        """Keys of one tenant, or of every tenant `by` may see, oldest first, revoked ones included.

        Raises Forbidden, StoreUnavailable.
        """
        check_tenant(by, by.tenant_id if tenant_id is None else tenant_id, "keys.read")
        everyone = tenant_id is None and by.may("tenants.manage")
        wanted = tenant_id or by.tenant_id
        records = [record for record in await self._store.all() if everyone or record.tenant_id == wanted]
        return sorted(records, key=lambda record: (record.created_at, record.key_id))


class RevokeKey:
    def __init__(self, store: KeyStore, clock: Clock, changed: KeysChanged = _nobody_to_tell) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed

    async def __call__(self, by: Principal, key_id: str, reason: str = "") -> KeyRecord:
        """Revokes a key for good, with all its secrets; revoking it again is no error and changes nothing.
        Returns it as it now is.

        Raises NotFound (also for another tenant's key), Forbidden, InvalidRequest (the reason),
        StoreUnavailable.
        """
        if len(reason) > REASON_LENGTH_MAX or not reason.isprintable():
            raise InvalidRequest(
                f"reason must have at most {REASON_LENGTH_MAX} printable characters", param="reason"
            )
        record = await visible_key(self._store, by, key_id)
        check_revocation(by, record)
        if record.revoked_at is None:
            at = self._clock.utc_now()
            await self._store.revoke(record.tenant_id, key_id, at, by=by.key_id, reason=reason)
            await tell(self._changed)
            record = await visible_key(self._store, by, key_id)
        return record


async def visible_key(store: KeyStore, by: Principal, key_id: str) -> KeyRecord:
    """Raises NotFound: there is none, or it is another tenant's business. Raises StoreUnavailable."""
    record = await store.get(key_id)
    if record is None or not (record.tenant_id == by.tenant_id or by.may("tenants.manage")):
        raise NotFound(f"no key {key_id[:40]!r} in this tenant", param="key_id")
    return record


class BootstrapFirstKey:
    """Gives a new installation its first owner key, once, however many processes start together.

    The file decides: whoever writes it first has made the key, everyone then stores the key the file
    holds. A crash between file and store is mended by the next start.
    """

    def __init__(self, store: KeyStore, hasher: KeyHasher, clock: Clock, file: OwnerKeyFile) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._file = file

    async def __call__(self) -> CreatedKey | None:
        """The first key, or None when the store already holds any key of our own making.

        Raises:
            Conflict: the file exists, but holds no key; nothing was changed.
            StoreUnavailable: store or file.
        """
        # Keys imported from elsewhere before the first start are nobody's way in to the installation itself.
        if any(record.scheme == OWN_SCHEME for record in await self._store.all()):
            return None
        text = self._file.keep_first(self._hasher.new_key(LIVE))
        if parse_key(text) is None:
            raise Conflict(
                "the owner's key file exists, but what it holds is not a key; move it away and start again"
            )
        created = _made(self._hasher, self._clock, _owner_key("first owner key"), text, _THE_MACHINE)
        try:
            await self._store.add(created.record)
        except Conflict:
            return None  # another process stored the very same key first
        return created


class RecoverKey:
    """Makes another owner key for whoever holds the machine itself; never reachable over the network."""

    def __init__(
        self,
        store: KeyStore,
        hasher: KeyHasher,
        clock: Clock,
        file: OwnerKeyFile,
        changed: KeysChanged = _nobody_to_tell,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._clock = clock
        self._file = file
        self._changed = changed

    async def __call__(self) -> CreatedKey:
        """A new owner key, stored and then written to the owner's key file. Older keys stay valid.

        Raises StoreUnavailable.
        """
        text = self._hasher.new_key(LIVE)
        created = _made(self._hasher, self._clock, _owner_key("recovered owner key"), text, _THE_MACHINE)
        await self._store.add(created.record)
        self._file.replace(created.key)
        await tell(self._changed)
        return created


def _owner_key(name: str) -> NewKey:
    return NewKey(tenant_id=OPERATOR_TENANT, name=name, role=OWNER)


def _made(hasher: KeyHasher, clock: Clock, new: NewKey, text: str, by: str) -> CreatedKey:
    parsed = parse_key(text)
    assert parsed is not None, "callers checked the text, or the hasher made it"
    hashed = hasher.hash(parsed)
    record = KeyRecord(
        key_id=parsed.key_id,
        tenant_id=new.tenant_id,
        name=new.name,
        role=new.role,
        hash=hashed.digest,
        pepper_version=hashed.pepper_version,
        permissions=new.scopes,
        allowed_models=new.allowed_models,
        created_at=clock.utc_now(),
        expires_at=new.expires_at,
        env=parsed.env,
        team=new.team,
        project=new.project,
        cost_center=new.cost_center,
        networks=new.networks,
        assertable=new.assertable,
        integrations=new.integrations,
        managed_budgets=new.managed_budgets,
        created_by=by,
    )
    return CreatedKey(parsed.key_id, text, record)
