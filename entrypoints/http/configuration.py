"""The configuration in force, without its secrets, and how it relates to the file."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.config.export import effective
from entrypoints.config.loading import LoadedSettings
from entrypoints.config.reload import restart_only
from entrypoints.http.guard import Door, guarded_routes, only_parameters
from entrypoints.live import LiveConfiguration


def configuration_routes(door: Door, live: LiveConfiguration) -> list[Route]:
    """`/api/v1/config`."""

    async def configuration(request: Request, by: Principal) -> Any:
        only_parameters(request, "defaults")
        status, loaded = live.status, live.loaded
        every = {"defaults": _every(loaded)} if _wanted(request) else {}
        return {
            **every,
            "settings": effective(loaded.settings, loaded.references),
            "warnings": live.warnings(),
            "restart_only": list(restart_only()),
            "command_line": list(loaded.flags),
            "reload": {
                "file": status.file,
                "state": "failed" if status.problems else "in_use",
                "reloads": status.reloads,
                "failures": status.failures,
                "problems": list(status.problems),
                "needs_restart": list(status.needs_restart),
            },
        }

    return guarded_routes(door, {("GET", "/api/v1/config"): configuration})


def _every(loaded: LoadedSettings) -> dict[str, Any]:
    return effective(loaded.settings, loaded.references, everything=True)


def _wanted(request: Request) -> bool:
    said = request.query_params.get("defaults", "false")
    if said not in ("true", "false"):
        raise InvalidRequest("defaults must be true or false", param="defaults")
    return said == "true"
