"""The key that signs the audit trail's checkpoints, and checking signatures."""

import re
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from adapters.crypto.secret_file import write_secret_once
from application.ports.audit import CheckpointSigner
from domain.audit.checkpoint import VerifierKey
from domain.errors import InvalidRequest

AUDIT_KEY_FILE = "audit.key"
AUDIT_KEY_VARIABLE = "INTERCHANGE_AUDIT_KEY"
SEED_SIZE_BYTES = 32


class Ed25519CheckpointSigner(CheckpointSigner):
    """Holds a private key; shows the public one."""

    def __init__(self, name: str, seed: bytes) -> None:
        """`seed` has 32 bytes, which are the private key. Raises ValueError."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._key = VerifierKey(name, self._private.public_key().public_bytes_raw())

    @property
    def key(self) -> VerifierKey:
        return self._key

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


def signed_by(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is one of this public key for the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def load_audit_signer(data_dir: Path, name: str, from_environment: str | None) -> Ed25519CheckpointSigner:
    """From `INTERCHANGE_AUDIT_KEY`, else from `<data_dir>/audit.key`, made once: 64 hexadecimal digits.

    Whoever loses it makes a new one; older checkpoints are checked with the older public key.

    Raises:
        InvalidRequest: the text is malformed; it is never shown.
        StoreUnavailable: the file cannot be read or made.
    """
    origin, text = AUDIT_KEY_VARIABLE, from_environment or ""
    if not text:
        path = data_dir / AUDIT_KEY_FILE
        fresh = f"{secrets.token_hex(SEED_SIZE_BYTES)}\n".encode()
        origin, text = str(path), write_secret_once(path, fresh).decode("ascii", "replace")
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{2 * SEED_SIZE_BYTES}}}", text.strip()):
        raise InvalidRequest(f"{origin}: an audit key is 64 hexadecimal digits", param=origin)
    return Ed25519CheckpointSigner(name, bytes.fromhex(text.strip()))
