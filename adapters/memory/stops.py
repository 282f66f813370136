"""Stops in memory: for tests and simulations; gone with the process."""

from dataclasses import replace
from datetime import datetime

from application.ports.stops import StopStore
from domain.errors import Conflict, StoreUnavailable
from domain.guards.stop import Stop, StopCause


class InMemoryStopStore(StopStore):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._stops: dict[str, Stop] = {}
        self._generation = 0

    async def add(self, stop: Stop, *, stops_max: int) -> bool:
        self._check()
        mine = [each for each in self._stops.values() if each.tenant_id == stop.tenant_id]
        if stop.cause is not StopCause.OPERATOR and any(
            (each.subject, each.cause) == (stop.subject, stop.cause) and each.in_force(stop.created_at)
            for each in mine
        ):
            return False
        if stop.stop_id in self._stops:
            raise Conflict(f"stop {stop.stop_id} exists")
        if len(mine) >= stops_max:
            ended = [
                (end, each.stop_id)
                for each in mine
                if (end := each.ended_at()) is not None and not each.in_force(stop.created_at)
            ]
            if not ended:
                raise Conflict(f"{stops_max} stops are in force in this tenant; no more are kept")
            del self._stops[min(ended)[1]]
        self._stops[stop.stop_id] = stop
        self._generation += 1
        return True

    async def lift(self, tenant_id: str, stop_id: str, at: datetime, by: str) -> bool:
        self._check()
        stop = self._stops.get(stop_id)
        if stop is None or stop.tenant_id != tenant_id or stop.lifted_at is not None:
            return False
        self._stops[stop_id] = replace(stop, lifted_at=at, lifted_by=by)
        self._generation += 1
        return True

    async def all(self) -> list[Stop]:
        self._check()
        return sorted(self._stops.values(), key=lambda stop: (stop.created_at, stop.stop_id))

    async def forget_ended_before(self, before: datetime) -> int:
        self._check()
        gone = [
            stop.stop_id
            for stop in self._stops.values()
            if (ended := stop.ended_at()) is not None and ended < before
        ]
        for stop_id in gone:
            del self._stops[stop_id]
        self._generation += bool(gone)
        return len(gone)

    async def generation(self) -> int:
        self._check()
        return self._generation

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store of stops is not reachable")
