"""The compiled snapshot that requests work from, swapped whole when configuration or catalogue change."""

from domain.routing.live import LiveState
from domain.routing.table import RoutingTable


class Runtime:
    """Holds the routing table and the live state that belongs to it.

    Readers take both in one go (`snapshot`) and keep them for the whole request, so that a swap never mixes
    an old table's indexes with a new live state.
    """

    __slots__ = ("_pair",)

    def __init__(self, table: RoutingTable, live: LiveState) -> None:
        self._pair = (table, live)

    @property
    def snapshot(self) -> tuple[RoutingTable, LiveState]:
        return self._pair

    def swap(self, table: RoutingTable) -> None:
        """Puts a new table in place; what is known about targets that stay is carried over."""
        self._pair = (table, LiveState.carry_over(self._pair[1], table))
