"""Envelopes: AES-256-GCM under a data key per secret, which is itself wrapped under a named master key.

`1 | id length (1) | key id | wrapped length (2) | wrapped | commitment (32) | nonce (12) | ciphertext and
tag`

Both layers authenticate the whole address and the key's id. GCM alone does not commit to a key: a ciphertext
can be made that opens under two of them. So the envelope holds HKDF-SHA-256 of the data key, which is
compared first, in constant time. A data key seals one secret once; random nonces cannot meet.
"""

import hmac
import os
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from application.ports.vault import CredentialEnvelope, KeyEncryption
from domain.errors import CredentialDamaged
from domain.vault.credential import CredentialAddress, canonical
from domain.vault.secret import SecretBytes

VERSION: Final = 1
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_COMMITMENT_BYTES: Final = 32
_COMMITMENT_LABEL: Final = b"interchange vault 1 commit"
_KEY_ID_BYTES_MAX: Final = 255
_WRAPPED_BYTES_MAX: Final = 65_535


class _Parts(NamedTuple):
    key_id: bytes
    wrapped: bytes
    commitment: bytes
    nonce: bytes
    ciphertext: bytes


class AesGcmEnvelope(CredentialEnvelope):
    """Under whatever keys `keys` holds. Whatever is wrong with an envelope is one error:
    CredentialDamaged."""

    def __init__(self, keys: KeyEncryption) -> None:
        self._keys = keys

    async def seal(self, address: CredentialAddress, key_id: str, content: SecretBytes) -> bytes:
        data_key = os.urandom(KEY_BYTES)
        wrapped = await self._keys.wrap(key_id, SecretBytes(data_key), address.context(key_id, "key"))
        name, nonce = key_id.encode(), os.urandom(_NONCE_BYTES)
        if not 0 < len(name) <= _KEY_ID_BYTES_MAX or len(wrapped) > _WRAPPED_BYTES_MAX:
            raise ValueError("the key's id or the wrapped key is too long for an envelope")
        place = canonical(address.context(key_id, "data"))
        return b"".join(
            (
                bytes((VERSION, len(name))),
                name,
                len(wrapped).to_bytes(2, "big"),
                wrapped,
                commitment(data_key),
                nonce,
                AESGCM(data_key).encrypt(nonce, content.reveal(), place),
            )
        )

    async def open(self, address: CredentialAddress, key_id: str, sealed: bytes) -> SecretBytes:
        parts = _parts(sealed)
        if parts is None or parts.key_id != key_id.encode():
            raise _damaged(address)
        unwrapped = await self._keys.unwrap(key_id, parts.wrapped, address.context(key_id, "key"))
        data_key = unwrapped.reveal()
        if len(data_key) != KEY_BYTES or not hmac.compare_digest(commitment(data_key), parts.commitment):
            raise _damaged(address)
        place = canonical(address.context(key_id, "data"))
        try:
            return SecretBytes(AESGCM(data_key).decrypt(parts.nonce, parts.ciphertext, place))
        except InvalidTag:
            raise _damaged(address) from None


def commitment(data_key: bytes) -> bytes:
    """Names a key without telling it."""
    return HKDFExpand(SHA256(), _COMMITMENT_BYTES, _COMMITMENT_LABEL).derive(data_key)


def _parts(sealed: bytes) -> _Parts | None:
    if len(sealed) < 2 or sealed[0] != VERSION:
        return None
    name_end = 2 + sealed[1]
    wrapped_start = name_end + 2
    wrapped_end = wrapped_start + int.from_bytes(sealed[name_end:wrapped_start], "big")
    nonce_start = wrapped_end + _COMMITMENT_BYTES
    text_start = nonce_start + _NONCE_BYTES
    if len(sealed) < text_start + _TAG_BYTES:
        return None
    return _Parts(
        sealed[2:name_end],
        sealed[wrapped_start:wrapped_end],
        sealed[wrapped_end:nonce_start],
        sealed[nonce_start:text_start],
        sealed[text_start:],
    )


def _damaged(address: CredentialAddress) -> CredentialDamaged:
    return CredentialDamaged(
        f"credential {address.name!r} of tenant {address.tenant_id!r} does not open: it is not what was "
        "stored there"
    )
