"""Who is stopped, stopping somebody, and letting them go on."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_stops import ManageStops
from domain.errors import InvalidRequest
from domain.guards.stop import SUBJECT_FIELDS, NewStop, Stop, StopSubject
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Body, Created, Door, decode, guarded_routes, only_parameters, read_bounded


class NewStopBody(Body):
    """`POST /api/v1/stops`."""

    agent_id: str = ""
    session_id: str = ""
    user_id: str = ""
    key_id: str = ""
    workflow_id: str = ""
    route: str = ""
    tenant_id: str | None = None
    reason: str = ""
    for_s: float | None = None
    now: bool = False


def stop_routes(door: Door, manage: ManageStops) -> list[Route]:
    """`/api/v1/stops`, and one of them."""

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id", "ended")
        ended = request.query_params.get("ended", "false")
        if ended not in ("true", "false"):
            raise InvalidRequest("ended must be true or false", param="ended")
        found = await manage.all(by, request.query_params.get("tenant_id"), ended_too=ended == "true")
        return {"stops": [stop_object(stop) for stop in found]}

    async def make(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), NewStopBody)
        new = NewStop(
            tenant_id=by.tenant_id if asked.tenant_id is None else asked.tenant_id,
            subject=StopSubject(**{name: getattr(asked, name) for name in SUBJECT_FIELDS}),
            reason=asked.reason,
            for_s=asked.for_s,
            ends_running=asked.now,
        )
        return Created(stop_object(await manage.make(by, new)))

    async def lift(request: Request, by: Principal) -> Any:
        return stop_object(await manage.lift(by, request.path_params["stop_id"]))

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/stops"): every,
            ("POST", "/api/v1/stops"): make,
            ("DELETE", "/api/v1/stops/{stop_id}"): lift,
        },
    )


def stop_object(stop: Stop) -> dict[str, Any]:
    """A stop as JSON; times are ISO, UTC."""
    return {
        "stop_id": stop.stop_id,
        "tenant_id": stop.tenant_id,
        **{name: getattr(stop.subject, name) or None for name in SUBJECT_FIELDS},
        "cause": stop.cause.value,
        "reason": stop.reason,
        "made_by": stop.by,
        "created_at": stop.created_at.isoformat(),
        "expires_at": None if stop.expires_at is None else stop.expires_at.isoformat(),
        "now": stop.ends_running,
        "lifted_at": None if stop.lifted_at is None else stop.lifted_at.isoformat(),
        "lifted_by": stop.lifted_by or None,
    }
