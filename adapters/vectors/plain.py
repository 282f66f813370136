"""Nearest vectors without numpy, for installs that have nothing but Interchange itself: few of them, looked
through one by one."""

import asyncio
from array import array
from collections.abc import Sequence
from operator import mul
from typing import Final

from application.ports.embedder import Vector
from application.ports.vector_index import IndexedVector, IndexFacts, Neighbour, VectorIndex
from domain.caching.vectors import unit_numbers

VECTORS_MAX: Final = 2_000
_AT_ONCE: Final = 64
"""Compared before the event loop has its turn: about a millisecond for 384 dimensions."""
_OVERHEAD_BYTES: Final = 600


class _Kept:
    __slots__ = ("expires_at_us", "numbers", "partition", "tenant_id")

    def __init__(self, vector: IndexedVector, numbers: "array[float]") -> None:
        self.partition = vector.partition
        self.tenant_id = vector.tenant_id
        self.expires_at_us = vector.expires_at_us
        self.numbers = numbers


class PlainVectorIndex(VectorIndex):
    """At most `vectors_max`; whatever expires first leaves. A search takes about 15 µs per vector of the
    partition."""

    def __init__(self, embedder_id: str, dimensions: int, *, vectors_max: int = VECTORS_MAX) -> None:
        self.embedder_id = embedder_id
        self.dimensions = dimensions
        self.vectors_max = max(1, vectors_max)
        self._kept: dict[bytes, _Kept] = {}
        self._partitions: dict[bytes, dict[bytes, _Kept]] = {}

    async def add(self, vectors: Sequence[IndexedVector]) -> None:
        read = [(each, self._numbers(each.vector)) for each in vectors]
        for vector, numbers in read:
            self._drop(vector.key)
            if len(self._kept) >= self.vectors_max:
                self._drop(min(self._kept, key=lambda key: self._kept[key].expires_at_us))
            kept = self._kept[vector.key] = _Kept(vector, numbers)
            self._partitions.setdefault(vector.partition, {})[vector.key] = kept

    def _numbers(self, vector: Vector) -> "array[float]":
        return unit_numbers(vector, self.dimensions)

    def _drop(self, key: bytes) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        partition = self._partitions[kept.partition]
        del partition[key]
        if not partition:
            del self._partitions[kept.partition]

    async def search(
        self, partition: bytes, vector: Vector, *, limit: int, similarity_min: float, now_us: int
    ) -> list[Neighbour]:
        query = self._numbers(vector)
        asked = list(self._partitions.get(partition, {}).items())
        found = [
            each for each in await self._near(asked, query, similarity_min) if each[1].expires_at_us > now_us
        ]
        found.sort(key=lambda each: -each[2])
        # Looked at again: others had their turn meanwhile.
        live = [(key, near) for key, kept, near in found if self._kept.get(key) is kept]
        return [Neighbour(key, min(1.0, near)) for key, near in live[: max(0, limit)]]

    async def _near(
        self, asked: Sequence[tuple[bytes, _Kept]], query: "array[float]", similarity_min: float
    ) -> list[tuple[bytes, _Kept, float]]:
        found = []
        for done, (key, kept) in enumerate(asked, 1):
            near = sum(map(mul, kept.numbers, query))
            if near >= similarity_min:
                found.append((key, kept, near))
            if not done % _AT_ONCE:
                await asyncio.sleep(0)
        return found

    async def remove(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            self._drop(key)

    async def within(self, tenant_id: str, vector: Vector, similarity: float) -> list[bytes]:
        query = self._numbers(vector)
        asked = [(key, kept) for key, kept in self._kept.items() if kept.tenant_id == tenant_id]
        found = await self._near(asked, query, similarity)
        return [key for key, kept, _ in found if self._kept.get(key) is kept]

    async def upkeep(self, now_us: int) -> int:
        gone = [key for key, kept in self._kept.items() if kept.expires_at_us <= now_us]
        for key in gone:
            self._drop(key)
        return len(gone)

    async def facts(self) -> IndexFacts:
        return IndexFacts(
            kind="plain",
            vectors=len(self._kept),
            partitions=len(self._partitions),
            bytes_used=len(self._kept) * (4 * self.dimensions + _OVERHEAD_BYTES),
        )

    async def aclose(self) -> None:
        self._kept.clear()
        self._partitions.clear()
