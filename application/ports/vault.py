"""What keeps credentials: the keys around them, the rows, the list of them, and the memory of that list.

Failure policy: closed. Where a key or a store does not answer, nothing is sealed and nothing is opened; what
was opened before stays in use by whoever holds it.
"""

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.vault.credential import Change, CredentialAddress, StoredCredential
from domain.vault.manifest import Pin, SignedManifest
from domain.vault.rotation import KeyList, Rotation
from domain.vault.secret import SecretBytes


class KeyEncryption(Protocol):
    """Master keys, wherever they are. Data keys are 32 bytes.

    `context` is bound to what is wrapped: with another one it does not unwrap. Raises VaultLocked where the
    source does not answer, is not allowed to, or has no such key; CredentialDamaged for what does not unwrap.
    """

    @abstractmethod
    async def keys(self) -> KeyList:
        """The keys, the primary one first. Raises VaultLocked."""
        ...

    @abstractmethod
    async def add_key(self, now: datetime) -> str:
        """Makes a key that is primary from now on, everywhere; its id. Raises InvalidRequest where the source
        makes none, VaultLocked."""
        ...

    @abstractmethod
    async def drop_key(self, key_id: str) -> None:
        """Forgets a key for good. Raises InvalidRequest where that is not ours to do, Conflict for the
        primary one, NotFound, VaultLocked."""
        ...

    @abstractmethod
    async def wrap(self, key_id: str, data_key: SecretBytes, context: Mapping[str, str]) -> bytes: ...

    @abstractmethod
    async def unwrap(self, key_id: str, wrapped: bytes, context: Mapping[str, str]) -> SecretBytes: ...


class CredentialEnvelope(Protocol):
    """Seals a credential under a data key of its own, and that under a master key."""

    @abstractmethod
    async def seal(self, address: CredentialAddress, key_id: str, content: SecretBytes) -> bytes:
        """Raises VaultLocked."""
        ...

    @abstractmethod
    async def open(self, address: CredentialAddress, key_id: str, sealed: bytes) -> SecretBytes:
        """Raises CredentialDamaged for anything but what was sealed for this address, VaultLocked."""
        ...


class Kept(NamedTuple):
    """A tenant's rows and the list of them, from one moment. `manifest` None: there never was a change."""

    rows: tuple[StoredCredential, ...]
    manifest: SignedManifest | None


class VaultFigures(NamedTuple):
    """Counts over all tenants."""

    by_key: Mapping[str, int]
    tenants: tuple[str, ...]
    """With rows or a manifest, sorted."""
    first_sealed_at: datetime | None


Revise = Callable[[SignedManifest | None, int, Sequence[Change]], SignedManifest]
"""(manifest so far, rows so far, changes that apply) -> the next manifest. Runs inside the transaction,
may run again, and may raise to have nothing changed."""


class CredentialStore(Protocol):
    """Rows and manifests. Raises StoreUnavailable."""

    @abstractmethod
    async def tenant(self, tenant_id: str, ids: Collection[str] | None = None) -> Kept:
        """All rows of a tenant by their ids, or those of `ids`."""
        ...

    @abstractmethod
    async def change(
        self, tenant_id: str, changes: Sequence[Change], revise: Revise
    ) -> tuple[SignedManifest | None, tuple[str, ...]]:
        """All changes whose `expected` is what stands there, with the manifest, in one step; what is the
        manifest then, and the ids that changed. None of several applies: nothing happens. An empty sequence
        is about the manifest alone.

        Changes of one tenant wait for each other. Raises Conflict for a name that is taken, or a key that was
        retired, and whatever `revise` raises; nothing changes then.
        """
        ...

    @abstractmethod
    async def figures(self) -> VaultFigures: ...

    @abstractmethod
    async def generation(self) -> int:
        """A number that changes with every change; cheap to ask."""
        ...

    @abstractmethod
    async def retire(self, key_id: str) -> bool:
        """Whether no row is under the key; from then on none can come under it."""
        ...


class RotationLog(Protocol):
    """The newest rotation. Raises StoreUnavailable."""

    @abstractmethod
    async def latest(self) -> Rotation | None: ...

    @abstractmethod
    async def note(self, rotation: Rotation, *, instead_of: str | None) -> bool:
        """Puts it in the place of the one with the id `instead_of` (None: of nothing); False: another one
        stands there."""
        ...


class ManifestSigning(Protocol):
    """Ed25519. Never fails for keys of its own making."""

    @abstractmethod
    def new_seed(self) -> SecretBytes: ...

    @abstractmethod
    def public(self, seed: SecretBytes) -> bytes: ...

    @abstractmethod
    def sign(self, seed: SecretBytes, body: bytes) -> bytes: ...

    @abstractmethod
    def verify(self, public: bytes, body: bytes, signature: bytes) -> bool: ...


class Pins(NamedTuple):
    """What this instance remembers outside of the database: who signs, and the newest manifests it saw."""

    public: bytes
    by_tenant: Mapping[str, Pin]


class ManifestPins(Protocol):
    """Raises StoreUnavailable; CredentialDamaged for a memory that was changed by somebody else."""

    @abstractmethod
    async def read(self) -> Pins | None: ...

    @abstractmethod
    async def write(self, pins: Pins) -> None: ...
