"""Building graphs in short steps beside searches: moving rows in, and building anew what is dead in parts."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from adapters.vectors.extra import Numerics
from adapters.vectors.graph import Graph, Signs
from adapters.vectors.partition import Partition
from adapters.vectors.rows import Rows
from adapters.vectors.worker import Worker
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

EXACT_MAX: Final = 4_096
"""Rows that are looked through one by one: about 0.5 ms for 384 dimensions."""
HEAD_MAX: Final = 256
"""Beside a graph."""
STEP: Final = 16
"""Rows put into a graph at once: about 2 ms, for which a search may have to wait."""
DEAD_SHARE: Final = 4
"""Built anew once more than one in so many labels is dead."""
STEPS_AT_A_TIME: Final = 32
RETRY_AFTER_S: Final = 1.0


class Tending:
    """`exact_max` and `head_max` are smaller in tests."""

    def __init__(self, *, exact_max: int = EXACT_MAX, head_max: int = HEAD_MAX, step: int = STEP) -> None:
        self._exact_max = exact_max
        self._head_max = head_max
        self._step = step
        self._due: dict[int, Partition] = {}
        self._task: asyncio.Task[None] | None = None
        self._quiet = asyncio.Lock()
        self._closed = False
        self._building: dict[int, _Anew] = {}

    def over(self, rows: Rows, tools: Numerics, signs: Signs, worker: Worker) -> "Tending":
        """Itself, for these rows."""
        self._rows, self._tools, self._signs, self._worker = rows, tools, signs, worker
        return self

    def look(self, partition: Partition) -> None:
        """After every change: whether there is something to do."""
        if not self._wanting(partition) or self._closed:
            return
        self._due[partition.number] = partition
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._tend())

    def _wanting(self, partition: Partition) -> bool:
        graph = partition.graph
        if partition.number in self._building:
            return True
        if graph is None:
            return len(partition.head) > self._exact_max
        return len(partition.head) > self._head_max or graph.dead * DEAD_SHARE > graph.labels

    @contextlib.asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """No graph changes meanwhile."""
        async with self._quiet:
            yield

    async def settled(self) -> None:
        if self._task is not None:
            await asyncio.shield(self._task)

    async def aclose(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _tend(self) -> None:
        while self._due:
            number, partition = next(iter(self._due.items()))
            try:
                await self._tended(partition)
            except StoreUnavailable as error:
                log.warning("Similar questions: a graph has to wait: %s", error.message)
                await asyncio.sleep(RETRY_AFTER_S)
                continue
            del self._due[number]
            if self._wanting(partition):
                self._due[number] = partition  # behind the others

    async def _tended(self, partition: Partition) -> None:
        """Some steps; the rest when the others had their turn."""
        graph = partition.graph
        if partition.number in self._building:
            await self._build_on(partition)
        elif graph is None:
            if len(partition.head) > self._exact_max:
                partition.graph = Graph(self._tools, self._signs, self._rows)
        elif graph.dead * DEAD_SHARE > graph.labels:
            if len(partition) <= self._exact_max // 2:
                async with self._quiet:
                    partition.dissolve(self._rows)
            else:
                self._building[partition.number] = _Anew(Graph(self._tools, self._signs, self._rows), graph)
        else:
            for _ in range(STEPS_AT_A_TIME):
                if partition.head:
                    await self._move(partition, graph)

    async def _move(self, partition: Partition, graph: Graph) -> None:
        rows = self._rows
        async with self._quiet:
            slots = rows.np.array(partition.head[: self._step])
            first = graph.reserve(len(slots))
            reading = rows.read()
            try:
                await self._worker.call(lambda: graph.insert(slots, first), over=reading.release)
                partition.moved(rows, slots, first)
            finally:
                reading.release()

    async def _build_on(self, partition: Partition) -> None:
        """Searches use the old graph until the new one is whole; nothing moves in meanwhile."""
        rows, np, work = self._rows, self._rows.np, self._building[partition.number]
        for _ in range(STEPS_AT_A_TIME):
            some = work.slots[work.done : work.done + self._step]
            work.done += len(some)
            some = some[(rows.owner[some] == partition.number) & rows.in_graph[some]]
            if len(some):
                await self._insert(work, some)
        if work.done < len(work.slots) and len(partition):
            return
        async with self._quiet:
            slots = np.concatenate(work.put) if work.put else work.slots[:0]
            partition.replace_graph(rows, work.graph, slots)
        del self._building[partition.number]

    async def _insert(self, work: "_Anew", some: Any) -> None:
        reading = self._rows.read()
        first = work.graph.reserve(len(some))
        try:
            await self._worker.call(lambda: work.graph.insert(some, first), over=reading.release)
            work.put.append(some)
        finally:
            reading.release()


class _Anew:
    """A graph in the making, and how far it is."""

    __slots__ = ("done", "graph", "put", "slots")

    def __init__(self, graph: Graph, old: Graph) -> None:
        self.graph = graph
        self.slots = old.slots[old.slots >= 0]
        self.done = 0
        self.put: list[Any] = []
