"""A board in memory, for tests and simulations: it survives as long as whoever keeps it."""

from application.ports.hold_board import AbandonedHolds, HoldBoard, HoldGroup, OpenHold
from domain.errors import StoreUnavailable


class InMemoryHoldBoard(HoldBoard):
    """`places_max` bounds the open holds."""

    def __init__(self, *, places_max: int = 100_000) -> None:
        self._places_max = places_max
        self._next = 0
        self.holders: list[str] = []
        self.holds: dict[int, OpenHold] = {}

    def announce(self, holder: str) -> None:
        if holder not in self.holders:
            self.holders.append(holder)

    def retire(self, holder: str) -> None:
        if holder in self.holders:
            self.holders.remove(holder)

    def put(self, attempt_id: str, held_nano_usd: int, group: HoldGroup) -> int:
        if len(self.holds) >= self._places_max:
            raise StoreUnavailable("no place is left for another open hold", retry_after_s=1.0)
        self._next += 1
        self.holds[self._next] = OpenHold(attempt_id, held_nano_usd, group)
        return self._next

    def clear(self, place: int) -> None:
        self.holds.pop(place, None)

    def abandoned(self) -> AbandonedHolds:
        """What another process would find after this one's death."""
        return AbandonedHolds(tuple(self.holders), list(self.holds.values()))
