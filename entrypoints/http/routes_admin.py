"""Routes as objects: those of the file are shown, those of the API can be changed."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from application.ports.routes import StoredRoute
from application.use_cases.manage_routes import ManageRoutes
from domain.errors import NotFound
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Created, Door, guarded_routes, read_bounded
from entrypoints.live import LiveConfiguration


def route_admin_routes(door: Door, manage: ManageRoutes, live: LiveConfiguration) -> list[Route]:
    """`/api/v1/routes` and one of them."""

    async def every(request: Request, by: Principal) -> Any:
        made = {route.name: route for route in await manage.all(by)}
        names = dict.fromkeys((*live.settings.routes, *sorted(made)))
        return {"routes": [shown(name, made.get(name)) for name in names]}

    async def one(request: Request, by: Principal) -> Any:
        name = request.path_params["name"]
        made = next((route for route in await manage.all(by) if route.name == name), None)
        if made is None and name not in live.settings.routes:
            raise NotFound(
                f"no route {name[:200]!r} in the file, and none made through the API", param="name"
            )
        return shown(name, made)

    async def put(request: Request, by: Principal) -> Any:
        route, new = await manage.put(by, request.path_params["name"], await read_bounded(request))
        return Created(shown(route.name, route)) if new else shown(route.name, route)

    async def remove(request: Request, by: Principal) -> Any:
        name = request.path_params["name"]
        await manage.remove(by, name)
        return {"name": name, "removed": True}

    def shown(name: str, made: StoredRoute | None) -> dict[str, Any]:
        in_use = name in live.provided.routes
        section = live.settings.routes.get(name)
        if section is not None:
            # The file's word holds where both have the name, which only a refused reload can bring about.
            return {
                "name": name,
                "owner": "file",
                "declared_in": live.route_declared_in(name),
                "in_use": in_use,
                "updated_at": None,
                "updated_by": None,
                "route": section.model_dump(mode="json", exclude_unset=True),
            }
        assert made is not None, "a name comes from the file or from the store"
        return {
            "name": name,
            "owner": "api",
            "declared_in": None,
            "in_use": in_use,
            "updated_at": made.updated_at.isoformat(),
            "updated_by": made.updated_by,
            "route": msgspec.json.decode(made.body),
        }

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/routes"): every,
            ("GET", "/api/v1/routes/{name}"): one,
            ("PUT", "/api/v1/routes/{name}"): put,
            ("DELETE", "/api/v1/routes/{name}"): remove,
        },
    )
