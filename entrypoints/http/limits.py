"""`/api/v1/limits`: rate limits and quotas as objects, and how those stand who met them."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_limits import ManageLimits
from domain.tenancy.principal import Principal
from entrypoints.http.guard import (
    Created,
    Door,
    Handler,
    decode,
    guarded_routes,
    only_parameters,
    read_bounded,
)
from entrypoints.limit_objects import LimitBody, limit_object, standing_object, terms_of


def limit_routes(door: Door, manage: ManageLimits) -> list[Route]:
    """The routes, each behind its permission."""

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id")
        records = await manage.all(by, request.query_params.get("tenant_id"))
        return {"limits": [limit_object(record) for record in records]}

    async def make(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), LimitBody)
        return Created(limit_object(await manage.create(by, terms_of(body))))

    async def one(request: Request, by: Principal) -> Any:
        record, standings = await manage.accounts(by, request.path_params["limit_id"])
        return {**limit_object(record), "accounts": [standing_object(each) for each in standings]}

    async def replace(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), LimitBody)
        return limit_object(await manage.replace(by, request.path_params["limit_id"], terms_of(body)))

    async def remove(request: Request, by: Principal) -> Any:
        record = await manage.remove(by, request.path_params["limit_id"])
        return {"limit_id": record.limit.limit_id, "removed": True}

    handlers: dict[tuple[str, str], Handler] = {
        ("GET", "/api/v1/limits"): every,
        ("POST", "/api/v1/limits"): make,
        ("GET", "/api/v1/limits/{limit_id:path}"): one,
        ("PUT", "/api/v1/limits/{limit_id:path}"): replace,
        ("DELETE", "/api/v1/limits/{limit_id:path}"): remove,
    }
    return guarded_routes(door, handlers)
