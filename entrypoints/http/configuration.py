"""The configuration in force, without its secrets, and how it relates to the file."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from domain.tenancy.principal import Principal
from entrypoints.config.export import effective
from entrypoints.config.reload import restart_only
from entrypoints.http.guard import Door, guarded_routes
from entrypoints.live import LiveConfiguration


def configuration_routes(door: Door, live: LiveConfiguration) -> list[Route]:
    """`/api/v1/config`."""

    async def configuration(request: Request, by: Principal) -> Any:
        status, loaded = live.status, live.loaded
        return {
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
