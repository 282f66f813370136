"""Master keys in memory: for tests and simulations; what is under them is lost with the process.

Not a cipher: data keys are kept in a table, and what is handed out is a number in it. What it promises is
what every source does, contexts and refusals included.
"""

from collections.abc import Mapping
from datetime import datetime

from application.ports.vault import KeyEncryption
from domain.errors import Conflict, CredentialDamaged, NotFound, VaultLocked
from domain.vault.credential import canonical
from domain.vault.rotation import KeyInfo, KeyList
from domain.vault.secret import SecretBytes

_ID_BYTES = 16


class InMemoryKeys(KeyEncryption):
    """Set `reachable` to False to take the source away."""

    def __init__(self, now: datetime) -> None:
        self.reachable = True
        self._keys = [KeyInfo("k1", now)]
        self._made = 1
        self._wrapped: dict[tuple[str, bytes], tuple[SecretBytes, bytes]] = {}

    async def keys(self) -> KeyList:
        self._check()
        return KeyList(tuple(self._keys), True)

    async def add_key(self, now: datetime) -> str:
        self._check()
        self._made += 1
        self._keys.insert(0, KeyInfo(f"k{self._made}", now))
        return self._keys[0].key_id

    async def drop_key(self, key_id: str) -> None:
        self._check()
        if key_id not in {key.key_id for key in self._keys}:
            raise NotFound(f"no key {key_id!r}", param="key_id")
        if self._keys[0].key_id == key_id:
            raise Conflict(f"{key_id} is the key that seals")
        self._keys = [key for key in self._keys if key.key_id != key_id]

    async def wrap(self, key_id: str, data_key: SecretBytes, context: Mapping[str, str]) -> bytes:
        self._check_key(key_id)
        token = len(self._wrapped).to_bytes(_ID_BYTES, "big")
        self._wrapped[key_id, token] = data_key, canonical(context)
        return token

    async def unwrap(self, key_id: str, wrapped: bytes, context: Mapping[str, str]) -> SecretBytes:
        self._check_key(key_id)
        data_key, place = self._wrapped.get((key_id, bytes(wrapped)), (None, b""))
        if data_key is None or place != canonical(context):
            raise CredentialDamaged(f"a data key under {key_id} does not unwrap")
        return data_key

    def _check_key(self, key_id: str) -> None:
        self._check()
        if key_id not in {key.key_id for key in self._keys}:
            raise VaultLocked(f"there is no key {key_id!r} here")

    def _check(self) -> None:
        if not self.reachable:
            raise VaultLocked("the source of keys is not reachable")
