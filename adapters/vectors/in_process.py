"""Nearest vectors in this process: partitions are looked through while they are small, and get a graph later.

Everything is changed in the event loop. One thread does what takes long: searches of larger partitions, and
between them short steps of building graphs, so that no search waits for more than one such step. A second
thread writes snapshots and looks through whole tenants.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.vectors.extra import numerics
from adapters.vectors.graph import Signs
from adapters.vectors.partition import Partition
from adapters.vectors.rows import NOBODY, ROW_OVERHEAD_BYTES, Rows
from adapters.vectors.snapshots import SnapshotFacts, read_snapshot, write_snapshot
from adapters.vectors.tending import Tending
from adapters.vectors.worker import CLOSE_TIMEOUT_S, Worker
from application.ports.embedder import Vector
from application.ports.vector_index import IndexedVector, IndexFacts, Neighbour, VectorIndex, VectorSnapshots
from domain.caching.entry import Position
from domain.errors import StoreUnavailable

VECTORS_MAX: Final = 1_000_000
BYTES_MAX: Final = 1_000_000_000
INLINE_ELEMENTS: Final = 400_000
"""Components that are looked through in the event loop: about 0.1 ms."""
SEARCH_TIMEOUT_S: Final = 1.0
RADIUS_TIMEOUT_S: Final = 30.0
ADDED_AT_ONCE: Final = 128
EVICTED_SHARE: Final = 128
"""When it is full, one in so many leaves at once."""
_PARTITION_BYTES: Final = 600
_FLOAT_BYTES: Final = 4


class _Found(NamedTuple):
    slots: Any
    similarities: Any


class InProcessVectorIndex(VectorIndex, VectorSnapshots):
    """Holds at most `vectors_max`, and fewer where `bytes_max` is reached first; what expires first leaves.

    Belongs to one event loop. Similarities are exact to about 0.001.
    """

    def __init__(
        self,
        embedder_id: str,
        dimensions: int,
        *,
        vectors_max: int = VECTORS_MAX,
        bytes_max: int = BYTES_MAX,
        tending: Tending | None = None,
    ) -> None:
        """Raises InvalidRequest where numpy or usearch are not installed."""
        self._tools = numerics()
        self.embedder_id = embedder_id
        self.dimensions = dimensions
        self.vectors_max = max(1, min(vectors_max, bytes_max // (dimensions + ROW_OVERHEAD_BYTES)))
        self.evicted = 0
        """Vectors that left because room was short."""
        self._signs = Signs(self._tools.numpy, dimensions)
        self._rows = Rows(self._tools.numpy, dimensions, self.vectors_max)
        self._partitions: dict[bytes, Partition] = {}
        self._by_number: dict[int, Partition] = {}
        self._numbers = 0
        self._worker = Worker("vector-search")
        self._files = Worker("vector-files", waiting_max=16)
        self._tending = (tending or Tending()).over(self._rows, self._tools, self._signs, self._worker)
        self._saving: set[asyncio.Task[bool]] = set()

    async def add(self, vectors: Sequence[IndexedVector]) -> None:
        for start in range(0, len(vectors), ADDED_AT_ONCE):
            if start:
                await asyncio.sleep(0)
            self._add(vectors[start : start + ADDED_AT_ONCE])

    def _add(self, vectors: Sequence[IndexedVector]) -> None:
        lines, factors = self._rows.quantized(self._floats([each.vector for each in vectors]))
        for each, row, factor in zip(vectors, lines, factors, strict=True):
            there = self._rows.slot_of.get(each.key)
            if there is not None:
                if self._same(there, each, row):
                    self._rows.expires[there] = each.expires_at_us
                    continue
                self._drop(there)
            if len(self._rows) >= self.vectors_max:
                self._evict()
            partition = self._partitions.get(each.partition)
            if partition is None:
                partition = self._new_partition(each.partition, each.tenant_id)
            slot = self._rows.put(each.key, partition.number, row, factor, each.expires_at_us)
            if slot is None:
                self._evict()
                self._leave_if_empty(partition)
                continue
            partition.append(self._rows, slot)
            self._tending.look(partition)

    def _same(self, slot: int, new: IndexedVector, row: Any) -> bool:
        owner = self._by_number[int(self._rows.owner[slot])]
        return owner.name == new.partition and bool((self._rows.matrix[slot] == row).all())

    def _new_partition(self, name: bytes, tenant_id: str) -> Partition:
        self._numbers += 1
        made = Partition(self._numbers, name, tenant_id)
        self._partitions[name] = self._by_number[made.number] = made
        return made

    def _floats(self, vectors: Sequence[Vector]) -> Any:
        np = self._tools.numpy
        if any(len(each) != self.dimensions * _FLOAT_BYTES for each in vectors):
            raise StoreUnavailable(f"a vector has not the {self.dimensions} numbers of {self.embedder_id}")
        lines = np.frombuffer(b"".join(vectors), "<f4").astype(np.float32).reshape(-1, self.dimensions)
        lengths = np.sqrt(np.einsum("ij,ij->i", lines, lines))
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise StoreUnavailable("a vector has no direction")
        return lines / lengths[:, None]

    def _drop(self, slot: int) -> None:
        partition = self._by_number[int(self._rows.owner[slot])]
        partition.forget(self._rows, slot)
        self._rows.drop(slot)
        self._leave_if_empty(partition)
        self._tending.look(partition)

    def _leave_if_empty(self, partition: Partition) -> None:
        if not len(partition):
            self._partitions.pop(partition.name, None)
            self._by_number.pop(partition.number, None)

    def _evict(self) -> None:
        for slot in self._rows.first_to_expire(max(1, self.vectors_max // EVICTED_SHARE)):
            self._drop(slot)
            self.evicted += 1

    async def search(
        self, partition: bytes, vector: Vector, *, limit: int, similarity_min: float, now_us: int
    ) -> list[Neighbour]:
        query = self._floats([vector])[0]
        asked = self._partitions.get(partition)
        if asked is None or limit < 1:
            return []
        np, rows, graph = self._tools.numpy, self._rows, asked.graph
        head = np.array(asked.head)

        def look() -> _Found:
            slots = head[rows.expires[head] > now_us]
            found = _Found(slots, rows.similarities(slots, query))
            if graph is not None:
                slots, similarities = graph.nearest(query, limit, now_us)
                # What moved into the graph a moment ago may be in both.
                new = ~np.isin(slots, found.slots)
                found = _Found(
                    np.concatenate((found.slots, slots[new])),
                    np.concatenate((found.similarities, similarities[new])),
                )
            return found

        if graph is None and len(head) * self.dimensions <= INLINE_ELEMENTS:
            return self._best(asked.number, look(), limit, similarity_min, now_us)
        reading = rows.read()
        try:
            found = await self._worker.call(look, over=reading.release, timeout_s=SEARCH_TIMEOUT_S)
            return self._best(asked.number, found, limit, similarity_min, now_us)
        finally:
            reading.release()

    def _best(
        self, number: int, found: _Found, limit: int, similarity_min: float, now_us: int
    ) -> list[Neighbour]:
        """Looks again at what may have gone since, or belong to somebody else by now."""
        near = self._tools.numpy.flatnonzero(found.similarities >= similarity_min)
        near = near[(-found.similarities[near]).argsort(kind="stable")]
        best: list[Neighbour] = []
        for place in near.tolist():
            slot = int(found.slots[place])
            key = self._rows.keys[slot]
            if key is None or self._rows.owner[slot] != number or self._rows.expires[slot] <= now_us:
                continue
            best.append(Neighbour(key, min(1.0, float(found.similarities[place]))))
            if len(best) == limit:
                break
        return best

    async def remove(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            slot = self._rows.slot_of.get(key)
            if slot is not None:
                self._drop(slot)

    async def within(self, tenant_id: str, vector: Vector, similarity: float) -> list[bytes]:
        query = self._floats([vector])[0]
        rows = self._rows
        mine = {each.number for each in self._partitions.values() if each.tenant_id == tenant_id}

        def look() -> list[int]:
            slots = rows.owned_by(list(mine))
            near: list[int] = slots[rows.similarities(slots, query) >= similarity].tolist()
            return near

        reading = rows.read()
        try:
            near = await self._files.call(look, over=reading.release, timeout_s=RADIUS_TIMEOUT_S)
            return [
                key for slot in near if int(rows.owner[slot]) in mine and (key := rows.keys[slot]) is not None
            ]
        finally:
            reading.release()

    async def upkeep(self, now_us: int) -> int:
        gone = self._rows.over(now_us)
        for done, slot in enumerate(gone, 1):
            if self._rows.owner[slot] != NOBODY and self._rows.expires[slot] <= now_us:
                self._drop(slot)
            if not done % ADDED_AT_ONCE:
                await asyncio.sleep(0)
        return len(gone)

    async def facts(self) -> IndexFacts:
        count = len(self._rows)
        return IndexFacts(
            kind="in-process",
            vectors=count,
            partitions=len(self._partitions),
            bytes_used=count * (self.dimensions + ROW_OVERHEAD_BYTES)
            + len(self._partitions) * _PARTITION_BYTES,
        )

    async def settled(self) -> None:
        """Returns once no graph is being built. Raises whatever stopped the building."""
        await self._tending.settled()

    async def save(self, directory: Path, heard: Position) -> bool:
        # Goes on when its caller is cancelled: graphs must not change before it has read them.
        task = asyncio.create_task(self._save(directory, heard))
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)
        return await asyncio.shield(task)

    async def _save(self, directory: Path, heard: Position) -> bool:
        facts = SnapshotFacts(self.embedder_id, self.dimensions, heard)
        async with self._tending.still():
            partitions = list(self._partitions.values())
            reading = self._rows.read()
            try:
                return await self._files.call(
                    lambda: write_snapshot(directory, facts, self._rows, partitions), over=reading.release
                )
            finally:
                reading.release()

    async def load(self, directory: Path) -> Position | None:
        facts = SnapshotFacts(self.embedder_id, self.dimensions, Position("", 0))
        assert not len(self._rows), "a snapshot is loaded before the first use"
        loaded = await self._files.call(
            lambda: read_snapshot(directory, facts, self._tools, self._signs, self.vectors_max)
        )
        if loaded is None:
            return None
        self._rows = loaded.rows
        self._partitions = {each.name: each for each in loaded.partitions}
        self._by_number = {each.number: each for each in loaded.partitions}
        self._numbers = max(self._by_number, default=0)
        self._tending.over(self._rows, self._tools, self._signs, self._worker)
        for partition in loaded.partitions:
            self._tending.look(partition)
        return loaded.heard

    async def aclose(self) -> None:
        if self._saving:
            await asyncio.wait(set(self._saving), timeout=CLOSE_TIMEOUT_S)
        await self._tending.aclose()
        await self._worker.aclose()
        await self._files.aclose()
