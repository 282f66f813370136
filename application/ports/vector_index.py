"""Nearest vectors within one partition. Failure policy: open; a failed search is a miss."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from application.ports.embedder import Vector


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
    async def facts(self) -> IndexFacts: ...

    @abstractmethod
    async def aclose(self) -> None: ...
