"""Marks in a set."""

from application.ports.outbox import OutboxEvent
from application.ports.period_marks import KEPT_US, PeriodMarks
from domain.errors import StoreUnavailable


class InMemoryPeriodMarks(PeriodMarks):
    """`told` are the events, in their order. `reachable` is for tests."""

    def __init__(self) -> None:
        self._marks: set[tuple[str, str, int]] = set()
        self.told: list[OutboxEvent] = []
        self.reachable = True

    async def marked(self, tenant_id: str, name: str, start_us: int) -> bool:
        self._require()
        return (tenant_id, name, start_us) in self._marks

    async def newest(self, tenant_id: str, name: str) -> int | None:
        self._require()
        return max((one[2] for one in self._marks if one[:2] == (tenant_id, name)), default=None)

    async def mark(
        self, tenant_id: str, name: str, start_us: int, *, at_us: int, event: OutboxEvent | None = None
    ) -> bool:
        self._require()
        if (tenant_id, name, start_us) in self._marks:
            return False
        self._marks.add((tenant_id, name, start_us))
        old = {one for one in self._marks if one[:2] == (tenant_id, name) and one[2] < at_us - KEPT_US}
        self._marks -= old
        if event is not None:
            self.told.append(event)
        return True

    def _require(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the marks cannot be reached")
