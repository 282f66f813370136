"""Pins in a dictionary."""

from collections.abc import Mapping

from application.ports.tool_pins import ToolPin, ToolPins
from domain.errors import StoreUnavailable


class InMemoryToolPins(ToolPins):
    """`reachable` is for tests."""

    def __init__(self) -> None:
        self._pins: dict[tuple[str, str], dict[str, ToolPin]] = {}
        self.reachable = True

    async def of(self, tenant_id: str, integration_id: str) -> Mapping[str, ToolPin]:
        self._require()
        return dict(self._pins.get((tenant_id, integration_id), {}))

    async def accept(
        self, tenant_id: str, integration_id: str, pins: Mapping[str, ToolPin], *, only_first: bool = False
    ) -> Mapping[str, ToolPin]:
        self._require()
        kept = self._pins.setdefault((tenant_id, integration_id), {})
        if not (only_first and kept):
            kept.update(pins)
        return dict(kept)

    async def forget(self, tenant_id: str, integration_id: str, names: list[str] | None = None) -> None:
        self._require()
        kept = self._pins.get((tenant_id, integration_id), {})
        for name in list(kept) if names is None else names:
            kept.pop(name, None)

    def _require(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the pins cannot be reached")
