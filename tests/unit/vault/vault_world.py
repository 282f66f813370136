"""A vault in memory, with keys that a test holds in its hand."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from adapters.crypto.ed25519 import Ed25519Signing
from adapters.crypto.envelope import AesGcmEnvelope
from adapters.memory.vault import InMemoryCredentialStore, InMemoryPins, InMemoryRotationLog
from adapters.memory.vault_keys import InMemoryKeys
from adapters.system.ids import TimeOrderedIds
from application.ports.system import Clock
from application.ports.vault import CredentialStore, RotationLog
from application.use_cases.rotate_vault import RotateVault
from application.vault import Vault
from application.vault_manifests import ManifestBook
from domain.vault.credential import NewCredential
from domain.vault.secret import SecretBytes

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class HandClock(Clock):
    """Moves when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def utc_now(self) -> datetime:
        return NOW + timedelta(seconds=self.now_s)


class VaultWorld(NamedTuple):
    vault: Vault
    rotate: RotateVault
    store: CredentialStore
    log: RotationLog
    keys: InMemoryKeys
    pins: InMemoryPins
    clock: HandClock
    ids: TimeOrderedIds

    def neighbour(self, *, same_machine: bool = False) -> "VaultWorld":
        """Another instance on the same stores and keys."""
        return vault_world(
            self.store, self.log, self.keys, self.clock, self.pins if same_machine else InMemoryPins()
        )


def vault_world(
    store: CredentialStore | None = None,
    log: RotationLog | None = None,
    keys: InMemoryKeys | None = None,
    clock: HandClock | None = None,
    pins: InMemoryPins | None = None,
) -> VaultWorld:
    store, log = store or InMemoryCredentialStore(), log or InMemoryRotationLog()
    clock, pins, ids = clock or HandClock(), pins or InMemoryPins(), TimeOrderedIds()
    keys = keys or InMemoryKeys(clock.utc_now())
    book = ManifestBook(Ed25519Signing(), pins, clock)
    vault = Vault(store, AesGcmEnvelope(keys), keys, book, clock, ids)
    return VaultWorld(vault, RotateVault(vault, log, clock, ids), store, log, keys, pins, clock, ids)


def named(name: str, tenant_id: str = "acme") -> NewCredential:
    return NewCredential(tenant_id=tenant_id, name=name)


def secret(text: str) -> SecretBytes:
    return SecretBytes(text.encode())
