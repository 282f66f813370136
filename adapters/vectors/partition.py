"""One partition of an index: a list of rows to look through, and a graph once there are many."""

from array import array
from typing import Any

from adapters.vectors.graph import Graph
from adapters.vectors.rows import Rows


class Partition:
    """`number` is never used again, so that a row's owner says for certain whose it is."""

    __slots__ = ("graph", "head", "name", "number", "tenant_id")

    def __init__(self, number: int, name: bytes, tenant_id: str) -> None:
        self.number = number
        self.name = name
        self.tenant_id = tenant_id
        self.head = array("i")
        """Rows outside the graph, in no order."""
        self.graph: Graph | None = None

    def __len__(self) -> int:
        return len(self.head) + (self.graph.live if self.graph else 0)

    def append(self, rows: Rows, slot: int) -> None:
        rows.place[slot] = len(self.head)
        rows.in_graph[slot] = False
        self.head.append(slot)

    def forget(self, rows: Rows, slot: int) -> None:
        """The row is about to be dropped."""
        place = int(rows.place[slot])
        if rows.in_graph[slot]:
            assert self.graph is not None
            self.graph.kill(place)
            return
        self._leave_head(rows, place)

    def _leave_head(self, rows: Rows, place: int) -> None:
        last = self.head.pop()
        if place < len(self.head):
            self.head[place] = last
            rows.place[last] = place

    def moved(self, rows: Rows, slots: Any, first_label: int) -> None:
        """These rows are in the graph now; those that went meanwhile stay dead there."""
        assert self.graph is not None
        for label, slot in enumerate(slots.tolist(), first_label):
            if rows.owner[slot] != self.number:
                continue
            self._leave_head(rows, int(rows.place[slot]))
            rows.place[slot] = label
            rows.in_graph[slot] = True
            self.graph.commit(label, slot)

    def dissolve(self, rows: Rows) -> None:
        """Few are left: all of them are looked through again."""
        graph, self.graph = self.graph, None
        if graph is None:
            return
        for slot in graph.slots[graph.slots >= 0].tolist():
            self.append(rows, slot)

    def replace_graph(self, rows: Rows, graph: Graph, slots: Any) -> None:
        """A graph built anew of `slots`, whose labels count up from 0. Nothing was moved meanwhile."""
        np = rows.np
        live = (rows.owner[slots] == self.number) & rows.in_graph[slots]
        kept, labels = slots[live], np.flatnonzero(live)
        graph.slots[labels] = kept
        graph.dead = graph.labels - len(kept)
        rows.place[kept] = labels
        self.graph = graph
