"""Stopping agents by hand, seeing who is stopped, and letting them go on."""

from application.ports.system import Clock, IdFactory
from application.stops import StopBoard
from domain.errors import NotFound
from domain.guards.stop import NewStop, Stop, StopCause, check_new_stop, end_of
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

PERMISSION = "agents.stop"


class ManageStops:
    """For keys that may stop agents, within their tenant or, for those who manage tenants, in any."""

    def __init__(self, board: StopBoard, clock: Clock, ids: IdFactory) -> None:
        self._board = board
        self._clock = clock
        self._ids = ids

    async def make(self, by: Principal, new: NewStop) -> Stop:
        """In force here when this returns, everywhere within a second.

        Raises InvalidRequest (names the field), Forbidden, Conflict (too many), StoreUnavailable.
        """
        check_tenant(by, new.tenant_id, PERMISSION)
        check_new_stop(new)
        now = self._clock.utc_now()
        stop = Stop(
            stop_id=self._ids.next("stop"),
            tenant_id=new.tenant_id,
            subject=new.subject,
            cause=StopCause.OPERATOR,
            reason=new.reason,
            by=by.key_id,
            created_at=now,
            expires_at=end_of(now, new.for_s),
            ends_running=new.ends_running,
        )
        await self._board.add(stop)
        return stop

    async def all(
        self, by: Principal, tenant_id: str | None = None, *, ended_too: bool = False
    ) -> list[Stop]:
        """Of one tenant, or of every tenant `by` may see, the newest first. Raises Forbidden,
        StoreUnavailable."""
        check_tenant(by, by.tenant_id if tenant_id is None else tenant_id, PERMISSION)
        everyone = tenant_id is None and by.may("tenants.manage")
        wanted, now = tenant_id or by.tenant_id, self._clock.utc_now()
        return [
            stop
            for stop in reversed(await self._board.known())
            if (everyone or stop.tenant_id == wanted) and (ended_too or stop.in_force(now))
        ]

    async def lift(self, by: Principal, stop_id: str) -> Stop:
        """The stop as it now is; lifting it again is no error.

        Raises NotFound (also for another tenant's stop), Forbidden, StoreUnavailable.
        """
        check_tenant(by, by.tenant_id, PERMISSION)
        stop = await self._find(by, stop_id)
        if stop.lifted_at is None:
            await self._board.lift(stop, by.key_id)
            stop = await self._find(by, stop_id)
        return stop

    async def _find(self, by: Principal, stop_id: str) -> Stop:
        for stop in await self._board.known():
            visible = stop.tenant_id == by.tenant_id or by.may("tenants.manage")
            if stop.stop_id == stop_id and visible:
                return stop
        raise NotFound(f"no stop {stop_id[:60]!r} in this tenant", param="stop_id")
