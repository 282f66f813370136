"""`/api/v1/integrations/{integration_id}/tools`: what an upstream MCP server says of its tools, and accepting
it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_tool_pins import ManageToolPins, PinnedTool
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Body, Door, decode, guarded_routes, only_parameters, read_bounded

ROOT: Final = "/api/v1/integrations/{integration_id}/tools"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AcceptBody(Body):
    """`tools` None: all of them. `digests` are of what somebody looked at."""

    tools: list[str] | None = None
    digests: dict[str, str] | None = None


def integration_tool_routes(door: Door, pins: ManageToolPins) -> list[Route]:
    """The routes, each behind its permission."""

    async def show(request: Request, by: Principal) -> Any:
        name, tenant_id = _place(request)
        return _object(name, await pins.tools(by, name, tenant_id))

    async def accept(request: Request, by: Principal) -> Any:
        name, tenant_id = _place(request)
        sent = await read_bounded(request)
        body = decode(sent, AcceptBody) if sent.strip() else AcceptBody()
        found = await pins.accept(by, name, tenant_id, names=body.tools, digests=body.digests)
        return _object(name, found)

    return guarded_routes(door, {("GET", ROOT): show, ("POST", f"{ROOT}/accept"): accept})


def _place(request: Request) -> tuple[str, str | None]:
    only_parameters(request, "tenant_id")
    return str(request.path_params["integration_id"]), request.query_params.get("tenant_id")


def _object(integration_id: str, tools: Sequence[PinnedTool]) -> dict[str, Any]:
    return {
        "integration_id": integration_id,
        "tools": [_tool(each) for each in tools],
        "withheld": sum(each.tool is not None and not each.usable for each in tools),
    }


def _tool(of: PinnedTool) -> dict[str, Any]:
    pin, tool = of.pin, of.tool
    return {
        "tool_name": of.name,
        "state": of.state,
        "usable": of.usable,
        "description": None if tool is None else tool.description,
        "parameters": None if tool is None else tool.parameters,
        "result": None if tool is None else tool.result,
        "destructive": None if tool is None else tool.destructive,
        "digest": of.digest,
        "accepted_digest": None if pin is None else pin.digest,
        "accepted_at": None if pin is None else _time(pin.accepted_at_us),
        "accepted_by": None if pin is None else pin.accepted_by or None,
    }


def _time(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat()
