"""Keeping API keys. The secret itself is never kept, only its keyed hash.

Failure policy: reads raise `StoreUnavailable`; the key ring then keeps serving its last snapshot for a
bounded time. Writes raise `StoreUnavailable` or `Conflict` and change nothing.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.tenancy.key import KeyRecord, ParsedKey


class KeyChanges(NamedTuple):
    """Keys that changed after a generation, revoked ones included, and how far that is known to be all."""

    generation: int
    records: list[KeyRecord]


class KeyStore(Protocol):
    """Records carry the generation of their last change (`revision`), so that nobody has to read all keys to
    hear of one, and nobody overwrites what they have not seen."""

    @abstractmethod
    async def add(self, record: KeyRecord) -> None:
        """Raises Conflict when the id exists."""
        ...

    @abstractmethod
    async def all(self) -> list[KeyRecord]:
        """Every key of every tenant, revoked ones included."""
        ...

    @abstractmethod
    async def get(self, key_id: str) -> KeyRecord | None:
        """One key of any tenant, with its last use; None: there is none."""
        ...

    @abstractmethod
    async def change(self, record: KeyRecord) -> KeyRecord | None:
        """Puts it in the place of the key it was read as, if that is still its revision and not revoked.

        Returns it with its new revision; None: somebody else came first, and nothing was changed.
        """
        ...

    @abstractmethod
    async def revoke(
        self, tenant_id: str, key_id: str, at: datetime, *, by: str = "", reason: str = ""
    ) -> bool:
        """Whether there was such a live key in this tenant."""
        ...

    @abstractmethod
    async def changes(self, since: int) -> KeyChanges:
        """What changed after that generation; everything where the store has not come that far itself (it
        was put back to an earlier state). -1 asks for everything."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """A number that changes with every change of any key; cheap to ask."""
        ...


class KeyQuery(NamedTuple):
    """Which keys, the oldest first. `after` is the last of the page before; `state` is `live`, `expired` or
    `revoked` at `now`; `name` is part of one, in any case; None does not matter."""

    now: datetime
    limit: int
    tenant_id: str | None = None
    role: str | None = None
    state: str | None = None
    name: str | None = None
    after: tuple[datetime, str] | None = None
    """Time of creation and id."""


class KeyPages(Protocol):
    """For people who look at keys. Raises `StoreUnavailable`."""

    @abstractmethod
    async def page(self, query: KeyQuery) -> list[KeyRecord]:
        """At most `limit`, with their last use."""
        ...

    @abstractmethod
    async def per_pepper(self, now: datetime) -> Mapping[int, int]:
        """How many secrets of live keys were hashed under which pepper; old ones count until they end."""
        ...


class KeyHash(NamedTuple):
    """What is kept instead of a secret."""

    digest: bytes
    pepper_version: int


class Rehash(NamedTuple):
    """The same secret under another pepper."""

    key_id: str
    before: KeyHash
    after: KeyHash


class KeyUses(Protocol):
    """What is learned of keys while they are used; written in groups, and lost without harm. Raises
    `StoreUnavailable`."""

    @abstractmethod
    async def used(self, key_ids: Sequence[str], at: datetime) -> None:
        """When they were used last; an earlier time than the known one changes nothing, nor does this count
        as a change of a key."""
        ...

    @abstractmethod
    async def rehash(self, found: Sequence[Rehash]) -> int:
        """How many were still kept as `before` and are now kept as `after`."""
        ...


class KeyNews(Protocol):
    """How instances tell each other that keys changed, sooner than they would see for themselves. Best
    effort: what is lost here costs half a second."""

    @abstractmethod
    async def tell(self) -> None:
        """Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def last(self) -> str:
        """What differs after every `tell`; empty: nothing was told lately. Raises StoreUnavailable."""
        ...


class KeyHasher(Protocol):
    """Makes secrets and their keyed hashes. Synchronous: a hash costs about a microsecond."""

    @abstractmethod
    def new_key(self, env: str, key_id: str = "") -> str:
        """The text of a new key with an unguessable secret, and an unguessable id unless it has one."""
        ...

    @abstractmethod
    def hash(self, key: ParsedKey) -> KeyHash:
        """The hash to keep, under the newest pepper."""
        ...

    @property
    @abstractmethod
    def newest(self) -> int:
        """The version of the pepper that hashes new secrets."""
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


class PepperKeeper(Protocol):
    """The peppers this machine hashes keys with. Synchronous, for commands. Raises StoreUnavailable."""

    @abstractmethod
    def versions(self) -> tuple[int, ...]:
        """Those that are known here, and thereby checked; ascending."""
        ...

    @abstractmethod
    def hashing(self) -> int:
        """The one that new secrets are hashed with."""
        ...

    @abstractmethod
    def look(self) -> None:
        """Takes over what another process made of them, as soon as it is there. Never raises."""
        ...

    @abstractmethod
    def turn(self) -> int:
        """Makes a new one, which hashes from now on; its version. Raises Conflict where peppers are not kept
        here but told from outside."""
        ...

    @abstractmethod
    def drop(self, version: int) -> None:
        """Forgets one for good. Raises Conflict as `turn`."""
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
