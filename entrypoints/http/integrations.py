"""`/api/v1/integrations`: what a tenant reaches through Interchange, and how that is doing."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.routing import Route

from application.tools.forms import Asked
from application.use_cases.manage_integrations import IntegrationRecord, ManageIntegrations
from domain.connectors.integration import Integration, IntegrationKind, IntegrationState
from domain.errors import InvalidConfiguration, InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.http.audited import forget_body
from entrypoints.http.guard import (
    Body,
    Created,
    Door,
    Handler,
    decode,
    guarded_routes,
    only_parameters,
    read_bounded,
)
from entrypoints.http.pages import read_page
from entrypoints.integration_objects import health_object, integration_object, made_object, tested_object

ROOT: Final = "/api/v1/integrations"
LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 500


class IntegrationBody(Body):
    """Of a PUT, where the path names it. The use case looks at what it holds."""

    type: Any = UNSET
    configuration: Any = UNSET
    monitoring: Any = None

    def __repr__(self) -> str:
        return "IntegrationBody()"  # a configuration may hold secrets

    def asked(self, integration_id: str) -> Asked:
        """Raises InvalidConfiguration for what is missing."""
        for name in ("type", "configuration"):
            if isinstance(getattr(self, name), UnsetType):
                raise InvalidConfiguration(f"{name} is required", param=name)
        return Asked(integration_id, self.type, self.configuration, self.monitoring)


class NewIntegrationBody(IntegrationBody):
    """Of a POST."""

    integration_id: str | UnsetType = UNSET

    def __repr__(self) -> str:
        return "NewIntegrationBody()"

    def new(self) -> Asked:
        """Raises InvalidConfiguration for what is missing."""
        if isinstance(self.integration_id, UnsetType):
            raise InvalidConfiguration("integration_id is required", param="integration_id")
        return self.asked(self.integration_id)


def integration_routes(
    door: Door, manage: ManageIntegrations, breaker_of: Callable[[Integration], str | None]
) -> list[Route]:
    """The routes, each behind its permission. `breaker_of` is asked for the state of a breaker."""

    def shown(record: IntegrationRecord) -> dict[str, Any]:
        return integration_object(record, breaker_of(record.integration))

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id", "type", "limit", "after")
        page = read_page(request, limit_default=LIMIT_DEFAULT, limit_max=LIMIT_MAX)
        kind = _kind(request)
        records, more = await manage.page(
            by, _tenant(request), limit=page.limit, after=page.after or "", kind=kind
        )
        return {
            "integrations": [shown(record) for record in records],
            "next": records[-1].integration.integration_id if more and records else None,
        }

    async def make(request: Request, by: Principal) -> Any:
        asked = decode(await _read_secret(request), NewIntegrationBody).new()
        return Created(made_object(await manage.create(by, asked, _tenant(request))))

    async def one(request: Request, by: Principal) -> Any:
        return shown(await manage.one(by, _id(request), _tenant(request)))

    async def replace(request: Request, by: Principal) -> Any:
        asked = decode(await _read_secret(request), IntegrationBody).asked(_id(request))
        return shown(await manage.replace(by, _id(request), asked, _tenant(request)))

    async def remove(request: Request, by: Principal) -> Any:
        record = await manage.remove(by, _id(request), _tenant(request))
        return {"integration_id": record.integration.integration_id, "removed": True}

    async def test(request: Request, by: Principal) -> Any:
        return tested_object(await manage.test(by, _id(request), _tenant(request)))

    def puts(state: IntegrationState) -> Handler:
        async def put_state(request: Request, by: Principal) -> Any:
            return shown(await manage.set_state(by, _id(request), state, _tenant(request)))

        return put_state

    async def health(request: Request, by: Principal) -> Any:
        record, checks = await manage.health(by, _id(request), _tenant(request))
        return health_object(record, checks)

    handlers: dict[tuple[str, str], Handler] = {
        ("GET", ROOT): every,
        ("POST", ROOT): make,
        ("GET", f"{ROOT}/{{integration_id}}"): one,
        ("PUT", f"{ROOT}/{{integration_id}}"): replace,
        ("DELETE", f"{ROOT}/{{integration_id}}"): remove,
        ("POST", f"{ROOT}/{{integration_id}}/test"): test,
        ("POST", f"{ROOT}/{{integration_id}}/enable"): puts(IntegrationState.ACTIVE),
        ("POST", f"{ROOT}/{{integration_id}}/disable"): puts(IntegrationState.DISABLED),
        ("POST", f"{ROOT}/{{integration_id}}/maintenance"): puts(IntegrationState.MAINTENANCE),
        ("GET", f"{ROOT}/{{integration_id}}/health"): health,
    }
    return guarded_routes(door, handlers)


async def _read_secret(request: Request) -> bytes:
    body = await read_bounded(request)
    forget_body(request)
    return body


def _id(request: Request) -> str:
    only_parameters(request, "tenant_id")
    return str(request.path_params["integration_id"])


def _tenant(request: Request) -> str | None:
    return request.query_params.get("tenant_id")


def _kind(request: Request) -> IntegrationKind | None:
    said = request.query_params.get("type")
    if said is None:
        return None
    kinds = [kind.value for kind in IntegrationKind]
    if said not in kinds:
        raise InvalidRequest(f"type must be one of {', '.join(kinds)}", param="type")
    return IntegrationKind(said)
