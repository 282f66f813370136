"""An index that is made when it is first used: what it imports takes a while, and tens of megabytes."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from adapters.vectors.extra import numerics
from adapters.vectors.in_process import InProcessVectorIndex
from application.ports.embedder import Vector
from application.ports.vector_index import IndexedVector, IndexFacts, Neighbour, VectorIndex, VectorSnapshots
from domain.caching.entry import Position
from domain.errors import InvalidRequest, StoreUnavailable

_NOTHING: Final = IndexFacts(kind="in-process", vectors=0, partitions=0, bytes_used=0)


class DeferredVectorIndex(VectorIndex, VectorSnapshots):
    """Belongs to one event loop, which goes on while packages are imported. What only looks at what is there,
    or takes out of it, does not make the index."""

    def __init__(self, make: Callable[[], InProcessVectorIndex]) -> None:
        self._make = make
        self._index: InProcessVectorIndex | None = None
        self._refusal = ""
        self._making = asyncio.Lock()

    async def add(self, vectors: Sequence[IndexedVector]) -> None:
        await (await self._made()).add(vectors)

    async def search(
        self, partition: bytes, vector: Vector, *, limit: int, similarity_min: float, now_us: int
    ) -> list[Neighbour]:
        index = await self._made()
        return await index.search(
            partition, vector, limit=limit, similarity_min=similarity_min, now_us=now_us
        )

    async def remove(self, keys: Sequence[bytes]) -> None:
        if self._index is not None:
            await self._index.remove(keys)

    async def within(self, tenant_id: str, vector: Vector, similarity: float) -> list[bytes]:
        return [] if self._index is None else await self._index.within(tenant_id, vector, similarity)

    async def upkeep(self, now_us: int) -> int:
        return 0 if self._index is None else await self._index.upkeep(now_us)

    async def facts(self) -> IndexFacts:
        return _NOTHING if self._index is None else await self._index.facts()

    async def save(self, directory: Path, heard: Position) -> bool:
        return await (await self._made()).save(directory, heard)

    async def load(self, directory: Path) -> Position | None:
        return await (await self._made()).load(directory)

    async def aclose(self) -> None:
        async with self._making:
            self._refusal = "the index of similar questions is closed"
            if self._index is not None:
                await self._index.aclose()

    async def _made(self) -> InProcessVectorIndex:
        """Raises StoreUnavailable: its packages are there, but cannot be imported."""
        if self._index is not None:
            return self._index
        async with self._making:
            if self._index is None:
                if self._refusal:
                    raise StoreUnavailable(self._refusal)
                try:
                    await asyncio.to_thread(numerics)
                    self._index = self._make()
                except InvalidRequest as error:
                    self._refusal = error.message
                    raise StoreUnavailable(error.message) from None
        return self._index
