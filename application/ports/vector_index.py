"""Nearest vectors within one partition. Failure policy: open; a failed search is a miss."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from application.ports.embedder import Vector
from domain.caching.entry import Position


class IndexedVector(NamedTuple):
    """`partition` is a hard wall (`domain.caching.key.question_partition`): no search ever looks over it."""

    partition: bytes
    key: bytes
    vector: Vector
    expires_at_us: int
    tenant_id: str = ""


class Neighbour(NamedTuple):
    key: bytes
    similarity: float
    """Cosine, as exact as the index keeps vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFacts:
    kind: str
    vectors: int | None = None
    partitions: int | None = None
    bytes_used: int | None = None


class VectorIndex(Protocol):
    """Bounded: when room is short, the oldest leave."""

    @abstractmethod
    async def add(self, vectors: Sequence[IndexedVector]) -> None:
        """A key that is there is replaced. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def search(
        self, partition: bytes, vector: Vector, *, limit: int, similarity_min: float, now_us: int
    ) -> list[Neighbour]:
        """The nearest that are not over, most similar first. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def remove(self, keys: Sequence[bytes]) -> None:
        """Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def within(self, tenant_id: str, vector: Vector, similarity: float) -> list[bytes]:
        """The keys of all vectors of one tenant that are at least so similar, in whatever partition. For
        invalidation, so it looks at every vector and takes its time. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def upkeep(self, now_us: int) -> int:
        """Forgets what is over; how many that were. To be called now and then. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def facts(self) -> IndexFacts: ...

    @abstractmethod
    async def aclose(self) -> None: ...


class VectorSnapshots(Protocol):
    """What an index in memory adds, so that a restart need not hear everything again."""

    @abstractmethod
    async def save(self, directory: Path, heard: Position) -> bool:
        """Everything, in a folder of its own; atomic, beside searches. `heard` is how far its owner had heard
        what is in it. False: another process writes there. Raises StoreUnavailable: nothing was changed."""
        ...

    @abstractmethod
    async def load(self, directory: Path) -> Position | None:
        """Before the first use. None: there is nothing, or not all of it as it was written, or it is another
        embedder's; then the index is empty and hears everything anew."""
        ...
