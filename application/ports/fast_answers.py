"""The first tier: kept answers in this process's memory. Never waits, never fails."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from domain.caching.entry import CachedAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class FastFacts:
    """`evictions`: left for want of room. `refused`: too large to be kept at all."""

    entries: int
    bytes_used: int
    bytes_max: int
    tenants: int
    evictions: int
    refused: int


class FastAnswers(Protocol):
    """Bounded by the sum of `size_bytes`. Answers that are asked for again stay before those that are not,
    and a tenant that needs no more than its even share of the room keeps what it has, whatever others do.

    Belongs to one event loop; not for use by several threads.
    """

    @abstractmethod
    def get(self, key: bytes) -> CachedAnswer | None:
        """Whatever its age; whoever asks knows what may still be served."""
        ...

    @abstractmethod
    def put(self, answer: CachedAnswer) -> bool:
        """Replaces one of the same key. Whether it was taken; one that is refused is not kept in its old
        form either."""
        ...

    @abstractmethod
    def drop(self, key: bytes) -> bool:
        """Whether it was there."""
        ...

    @abstractmethod
    def clear(self) -> None: ...

    @abstractmethod
    def facts(self) -> FastFacts: ...
