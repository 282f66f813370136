"""Kept answers under AES-256-GCM."""

import hmac
import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from application.ports.entry_seal import EntrySeal
from domain.errors import InvalidRequest

KEY_BYTES: Final = 32
_ID_BYTES_MAX: Final = 255
_NONCE_BYTES: Final = 12
_LABEL: Final = b"interchange entry seal 1"


def key_of_this_process() -> dict[str, bytes]:
    """A key that nobody else has and that ends with the process: until the shared ones are there."""
    return {f"process-{os.urandom(4).hex()}": os.urandom(KEY_BYTES)}


class AesGcmEntrySeal(EntrySeal):
    """length of the key's id (1 byte) | the id | nonce (12 bytes) | ciphertext and tag.

    Each entry is sealed with a key of its own, derived from the named one with HMAC-SHA-256 over tenant and
    entry key: a random nonce can then only meet itself among rewrites of one entry, however many entries
    there are. Tenant, entry key and key id are authenticated too.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """The first key seals, all of them open. Raises InvalidRequest for none, or a wrong size."""
        self.use(keys)

    def use(self, keys: Mapping[str, bytes]) -> None:
        """Others from now on, in one step. Raises InvalidRequest; nothing changes then."""
        if not keys:
            raise InvalidRequest("sealing kept answers takes at least one key", param="keys")
        for name, key in keys.items():
            if len(key) != KEY_BYTES or not 0 < len(name.encode()) <= _ID_BYTES_MAX:
                raise InvalidRequest(
                    f"key {name!r}: {KEY_BYTES} bytes, and an id of 1 to {_ID_BYTES_MAX} bytes", param="keys"
                )
        self._keys = {name.encode(): bytes(key) for name, key in keys.items()}
        self._current = next(iter(self._keys))

    def seal(self, tenant_id: str, key: bytes, plain: bytes) -> bytes:
        place = _place(self._current, tenant_id, key)
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = _cipher(self._keys[self._current], place).encrypt(nonce, plain, place)
        return bytes((len(self._current),)) + self._current + nonce + ciphertext

    def open(self, tenant_id: str, key: bytes, sealed: bytes) -> bytes | None:
        start = 1 + (sealed[0] if sealed else 0)
        name, nonce, ciphertext = (
            sealed[1:start],
            sealed[start : start + _NONCE_BYTES],
            sealed[start + _NONCE_BYTES :],
        )
        master = self._keys.get(name)
        if master is None or len(nonce) != _NONCE_BYTES:
            return None
        place = _place(name, tenant_id, key)
        try:
            return _cipher(master, place).decrypt(nonce, ciphertext, place)
        except InvalidTag:
            return None


def _place(name: bytes, tenant_id: str, key: bytes) -> bytes:
    """Where an entry belongs; the parts are told apart by their lengths."""
    tenant = tenant_id.encode()
    return b"%b|%d:%b|%d:%b|%b" % (_LABEL, len(name), name, len(tenant), tenant, key)


def _cipher(master: bytes, place: bytes) -> AESGCM:
    return AESGCM(hmac.digest(master, place, "sha256"))
