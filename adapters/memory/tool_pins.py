"""Pins in a dictionary."""

from collections.abc import Mapping, Sequence

from application.ports.tool_pins import ToolPin, ToolPins
from domain.errors import StoreUnavailable

Place = tuple[str, str]


class InMemoryToolPins(ToolPins):
    """`reachable` is for tests."""

    def __init__(self) -> None:
        self._pins: dict[Place, dict[str, ToolPin]] = {}
        self._turns: dict[Place, int] = {}
        self._generation = 0
        self.reachable = True

    async def of(self, tenant_id: str, integration_id: str) -> Mapping[str, ToolPin]:
        self._require()
        return dict(self._pins.get((tenant_id, integration_id), {}))

    async def accept(
        self, tenant_id: str, integration_id: str, pins: Mapping[str, ToolPin], *, only_first: bool = False
    ) -> Mapping[str, ToolPin]:
        self._require()
        place = (tenant_id, integration_id)
        kept = self._pins.setdefault(place, {})
        if only_first:
            if place not in self._turns:
                kept.update(pins)
                self._turns[place] = 0
            return dict(kept)
        kept.update(pins)
        self._turns[place] = self._turns.get(place, 0) + 1
        self._generation += 1
        return dict(kept)

    async def drop(self, tenant_id: str, integration_id: str, names: Sequence[str]) -> None:
        self._require()
        kept = self._pins.get((tenant_id, integration_id), {})
        for name in names:
            kept.pop(name, None)

    async def forget(self, tenant_id: str, integration_id: str) -> None:
        self._require()
        place = (tenant_id, integration_id)
        self._pins.pop(place, None)
        if self._turns.pop(place, None) is not None:
            self._generation += 1

    async def turns(self) -> Mapping[Place, int]:
        self._require()
        return dict(self._turns)

    async def generation(self) -> int:
        self._require()
        return self._generation

    def _require(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the pins cannot be reached")
