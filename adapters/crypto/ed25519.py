"""Ed25519 for the vault's manifests."""

import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from application.ports.vault import ManifestSigning
from domain.vault.secret import SecretBytes

SEED_BYTES = 32


class Ed25519Signing(ManifestSigning):
    def new_seed(self) -> SecretBytes:
        return SecretBytes(os.urandom(SEED_BYTES))

    def public(self, seed: SecretBytes) -> bytes:
        return _private(seed).public_key().public_bytes_raw()

    def sign(self, seed: SecretBytes, body: bytes) -> bytes:
        return _private(seed).sign(body)

    def verify(self, public: bytes, body: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, body)
        except (InvalidSignature, ValueError):
            return False
        return True


def _private(seed: SecretBytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed.reveal())
