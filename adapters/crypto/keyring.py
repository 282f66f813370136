"""Master keys that this process holds itself, from a text of `<id> <hexadecimal> <date>` lines."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from application.ports.vault import KeyEncryption
from domain.errors import CredentialDamaged, InvalidRequest, VaultLocked
from domain.vault.credential import KEY_ID_SHAPE, canonical
from domain.vault.rotation import KeyInfo, KeyList
from domain.vault.secret import SecretBytes

MASTER_KEY_BYTES: Final = 32
ENVIRONMENT: Final = "INTERCHANGE_VAULT_KEYS"
_NONCE_BYTES: Final = 12
_HINT: Final = (
    "write '<id>:<64 hexadecimal digits>', several joined by commas; the first seals, all of them open"
)


class MasterKey(NamedTuple):
    """A key by its id; the key itself is a secret."""

    info: KeyInfo
    secret: SecretBytes


class Keyring(NamedTuple):
    """Keys in their order, the primary one first."""

    keys: tuple[MasterKey, ...]

    def wrap(self, key_id: str, data_key: SecretBytes, context: Mapping[str, str]) -> bytes:
        """`nonce (12) | ciphertext and tag`. Raises VaultLocked."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher(key_id).encrypt(nonce, data_key.reveal(), canonical(context))

    def unwrap(self, key_id: str, wrapped: bytes, context: Mapping[str, str]) -> SecretBytes:
        """Raises VaultLocked, CredentialDamaged."""
        nonce, text = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        cipher = self._cipher(key_id)
        try:
            return SecretBytes(cipher.decrypt(nonce, text, canonical(context)))
        except (InvalidTag, ValueError):
            raise CredentialDamaged(f"a data key under {key_id} does not unwrap") from None

    def has(self, key_id: str) -> bool:
        return any(key.info.key_id == key_id for key in self.keys)

    def list(self, *, makes_keys: bool) -> KeyList:
        return KeyList(tuple(key.info for key in self.keys), makes_keys)

    def _cipher(self, key_id: str) -> AESGCM:
        for key in self.keys:
            if key.info.key_id == key_id:
                return AESGCM(key.secret.reveal())
        raise VaultLocked(f"the vault's keyring here has no key {key_id!r}")


class EnvironmentKeys(KeyEncryption):
    """Keys an operator hands over in the environment. New ones are the operator's to make."""

    def __init__(self, text: str) -> None:
        """Raises InvalidRequest, which never shows the text."""
        self._ring = parse_environment(text)

    async def keys(self) -> KeyList:
        return self._ring.list(makes_keys=False)

    async def add_key(self, now: datetime) -> str:
        del now
        raise InvalidRequest(
            f"keys come from {ENVIRONMENT}: put a new one first there, restart, and rotate", param="keys"
        )

    async def drop_key(self, key_id: str) -> None:
        raise InvalidRequest(
            f"nothing is under {key_id} any more: take it out of {ENVIRONMENT}", param="key_id"
        )

    async def wrap(self, key_id: str, data_key: SecretBytes, context: Mapping[str, str]) -> bytes:
        return self._ring.wrap(key_id, data_key, context)

    async def unwrap(self, key_id: str, wrapped: bytes, context: Mapping[str, str]) -> SecretBytes:
        return self._ring.unwrap(key_id, wrapped, context)


def parse_environment(text: str) -> Keyring:
    """`id:hex,id:hex`. Raises InvalidRequest, which never shows the text."""
    keys: list[MasterKey] = []
    for item in text.replace(",", "\n").split():
        key_id, _, digits = item.rpartition(":")
        keys.append(_master_key(key_id, digits, None, ENVIRONMENT))
    return checked(keys, ENVIRONMENT)


def _master_key(key_id: str, digits: str, made_at: datetime | None, origin: str) -> MasterKey:
    if not KEY_ID_SHAPE.fullmatch(key_id):
        raise InvalidRequest(f"{origin}: a key has no id; {_HINT}", param=origin)
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if len(secret) != MASTER_KEY_BYTES or len(digits) != 2 * MASTER_KEY_BYTES:
        raise InvalidRequest(f"{origin}: key {key_id} is not {MASTER_KEY_BYTES} bytes; {_HINT}", param=origin)
    return MasterKey(KeyInfo(key_id, made_at), SecretBytes(secret))


def parse_lines(text: str, origin: str) -> Keyring:
    """`<id> <hex> <ISO date>` lines. Raises InvalidRequest, which never shows the text."""
    keys: list[MasterKey] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        key_id, digits, made = (*line.split(), "", "")[:3]
        try:
            made_at = datetime.fromisoformat(made) if made else None
        except ValueError:
            raise InvalidRequest(f"{origin}: key {key_id[:80]} has no valid date", param=origin) from None
        keys.append(_master_key(key_id, digits, made_at, origin))
    return checked(keys, origin)


def as_lines(ring: Keyring) -> bytes:
    """What `parse_lines` reads: for the keyring's own file only."""
    lines = [
        "# Interchange vault keys: the first seals, all of them open. Losing one loses what is under it."
    ]
    for key in ring.keys:
        made = "" if key.info.made_at is None else key.info.made_at.isoformat()
        lines.append(f"{key.info.key_id} {key.secret.reveal().hex()} {made}".rstrip())
    return ("\n".join(lines) + "\n").encode()


def checked(keys: list[MasterKey], origin: str) -> Keyring:
    """Raises InvalidRequest for no key, or an id given twice."""
    if not keys:
        raise InvalidRequest(f"{origin}: no key; {_HINT}", param=origin)
    ids = [key.info.key_id for key in keys]
    if len(set(ids)) < len(ids):
        raise InvalidRequest(f"{origin}: a key's id is given twice", param=origin)
    return Keyring(tuple(keys))
