"""Credentials as callers see them: names, versions and dates. What is inside goes in and never comes out."""

from collections.abc import Awaitable, Callable
from typing import Final

from application.vault import Vault
from domain.errors import Conflict
from domain.tenancy.key_rules import named_tenant
from domain.tenancy.principal import Principal
from domain.vault.credential import NewCredential, StoredCredential
from domain.vault.secret import SecretBytes

READ: Final = "credentials.read"
WRITE: Final = "credentials.write"

UsedBy = Callable[[str, str], str | None]
"""(tenant, name) -> what uses the credential, such as `providers.openai.api_key`; None: nothing."""


def nothing_uses(tenant_id: str, name: str) -> str | None:
    """Where nobody says what is used."""
    del tenant_id, name
    return None


async def _nobody_follows() -> None:
    """Running servers look for themselves."""


class ManageCredentials:
    """Within the caller's tenant or, for those who manage tenants, in any. Rows are what it returns: their
    sealed bytes are for nobody beyond this room."""

    def __init__(
        self,
        vault: Vault,
        *,
        used_by: UsedBy = nothing_uses,
        changed: Callable[[], Awaitable[None]] = _nobody_follows,
    ) -> None:
        self._vault = vault
        self._used_by = used_by
        self._changed = changed

    async def create(self, by: Principal, new: NewCredential, value: SecretBytes) -> StoredCredential:
        """Raises InvalidRequest, Forbidden, Conflict, CredentialDamaged, VaultLocked, StoreUnavailable."""
        named_tenant(by, new.tenant_id, WRITE)
        made = await self._vault.put(new, value, by.key_id)
        await self._changed()
        return made

    async def all(self, by: Principal, tenant_id: str | None = None) -> list[StoredCredential]:
        """Of one tenant, by name. Raises Forbidden, StoreUnavailable."""
        wanted = named_tenant(by, tenant_id, READ)
        kept = await self._vault.store.tenant(wanted)
        return sorted(kept.rows, key=lambda row: row.name)

    async def one(self, by: Principal, credential_id: str, tenant_id: str | None = None) -> StoredCredential:
        """Raises NotFound, Forbidden, StoreUnavailable."""
        wanted = named_tenant(by, tenant_id, READ)
        _, row = await self._vault.row(wanted, credential_id)
        return row

    async def replace(
        self, by: Principal, credential_id: str, value: SecretBytes, tenant_id: str | None = None
    ) -> StoredCredential:
        """The next version: in use within a second wherever the one before was. Raises as `create`, and
        NotFound."""
        wanted = named_tenant(by, tenant_id, WRITE)
        made = await self._vault.replace(wanted, credential_id, value, by.key_id)
        await self._changed()
        return made

    async def delete(
        self, by: Principal, credential_id: str, tenant_id: str | None = None
    ) -> StoredCredential:
        """What is gone. Raises NotFound, Forbidden, Conflict for one that the configuration uses,
        CredentialDamaged, StoreUnavailable."""
        wanted = named_tenant(by, tenant_id, WRITE)
        _, row = await self._vault.row(wanted, credential_id)
        if (user := self._used_by(wanted, row.name)) is not None:
            raise Conflict(f"credential {row.name!r} is used by {user}; take it out there first")
        gone = await self._vault.delete(wanted, credential_id)
        await self._changed()
        return gone

    async def named(self, by: Principal, name: str, tenant_id: str | None = None) -> StoredCredential | None:
        """By its name, for commands. Raises Forbidden, StoreUnavailable."""
        return next((row for row in await self.all(by, tenant_id) if row.name == name), None)
