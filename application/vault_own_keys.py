"""Keys the installation needs for itself, as credentials of the vault.

All instances share them, and they turn with the master keys, wherever those are.
"""

from collections.abc import Callable
from typing import Final

from application.ports.vault import Kept
from application.vault import Vault
from domain.errors import Conflict, NotFound
from domain.vault.credential import OWN_TENANT, NewCredential, StoredCredential
from domain.vault.secret import SecretBytes

CACHE_KEYS: Final = "cache-key"
KEPT_MAX: Final = 3
"""The newest seals; as many in all open. What is under an older one is not found any more."""
BY: Final = "vault"


class OwnKeys:
    """One family of keys, `<name>-<number>`; `new` makes the bytes of one. Raises VaultLocked,
    CredentialDamaged and StoreUnavailable."""

    def __init__(self, vault: Vault, new: Callable[[], SecretBytes], name: str = CACHE_KEYS) -> None:
        self._vault = vault
        self._new = new
        self._name = name

    async def open(self) -> dict[str, SecretBytes]:
        """The keys by name, the newest first; the first one is made where there is none."""
        for _ in range(2):
            read = await self._vault.read(OWN_TENANT)
            rows = self._mine(read.kept)
            if rows:
                manifest = await self._vault.believed(OWN_TENANT, read)
                return {row.name: await self._vault.open_row(row, manifest) for row in rows}
            await self._add(1)
        return {}

    async def turn(self) -> None:
        """The next key, where there is one at all; those beyond `KEPT_MAX` go."""
        rows = self._mine(await self._vault.store.tenant(OWN_TENANT))
        if not rows:
            return
        await self._add(self._number(rows[0]) + 1)
        for row in rows[KEPT_MAX - 1 :]:
            try:
                await self._vault.delete(OWN_TENANT, row.credential_id)
            except (NotFound, Conflict):
                continue  # another instance took it out

    async def _add(self, number: int) -> None:
        new = NewCredential(
            tenant_id=OWN_TENANT, name=f"{self._name}-{number}", integration="vault", field="key"
        )
        try:
            await self._vault.put(new, self._new(), BY)
        except Conflict:
            return  # another instance was first

    def _mine(self, kept: Kept) -> list[StoredCredential]:
        mine = [row for row in kept.rows if row.name.startswith(f"{self._name}-")]
        return sorted(mine, key=self._number, reverse=True)

    def _number(self, row: StoredCredential) -> int:
        return int(row.name.removeprefix(f"{self._name}-"))
