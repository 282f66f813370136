"""Keeping API keys. The secret itself is never kept, only its keyed hash.

Failure policy: reads raise `StoreUnavailable`; the key ring then keeps serving its last snapshot for a
bounded time. Writes raise `StoreUnavailable` or `Conflict` and change nothing.
"""

from abc import abstractmethod
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.tenancy.key import KeyRecord, ParsedKey


class KeyStore(Protocol):
    @abstractmethod
    async def add(self, record: KeyRecord) -> None:
        """Raises Conflict when the id exists."""
        ...

    @abstractmethod
    async def all(self) -> list[KeyRecord]:
        """Every key of every tenant, revoked ones included."""
        ...

    @abstractmethod
    async def revoke(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        """Whether there was such a live key in this tenant."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """A number that changes with every change of any key; cheap to ask."""
        ...


class KeyHash(NamedTuple):
    """What is kept instead of a secret."""

    digest: bytes
    pepper_version: int


class KeyHasher(Protocol):
    """Makes secrets and their keyed hashes. Synchronous: a hash costs about a microsecond."""

    @abstractmethod
    def new_key(self, env: str) -> str:
        """The text of a new key with an unguessable id and secret."""
        ...

    @abstractmethod
    def hash(self, key: ParsedKey) -> KeyHash:
        """The hash to keep, under the newest pepper."""
        ...

    @abstractmethod
    def matches(self, key: ParsedKey, kept: KeyHash) -> bool:
        """Whether the secret is the one that was hashed, in constant time. False for a lost pepper."""
        ...

    @abstractmethod
    def hash_imported(self, digest: bytes) -> KeyHash:
        """The hash to keep of a foreign key, of which only the SHA-256 digest of its text is known."""
        ...

    @abstractmethod
    def imported_candidates(self, digest: bytes) -> tuple[KeyHash, ...]:
        """What may be kept of that key: one hash for every known pepper, the newest first."""
        ...


class OwnerKeyFile(Protocol):
    """The file an operator reads the owner's key from; only its owner may read it.

    Synchronous, used at start-up and on recovery only. Raises StoreUnavailable when it cannot be
    read or written.
    """

    @abstractmethod
    def keep_first(self, key: str) -> str:
        """Writes the key unless the file exists, whole or not at all; returns what the file then holds."""
        ...

    @abstractmethod
    def replace(self, key: str) -> None:
        """Puts this key in the place of whatever was there, whole or not at all."""
        ...
