"""Roles as objects: the built-in ones and those of the file are shown, a tenant's own can be changed."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_roles import ManageRoles, RoleRecord
from domain.tenancy.custom_role import CustomRole
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Body, Created, Door, decode, guarded_routes, only_parameters, read_bounded


class RoleBody(Body):
    """`PUT /api/v1/roles/{name}`."""

    permissions: list[str]
    description: str = ""
    tenant_id: str | None = None

    def role(self, by: Principal, name: str) -> CustomRole:
        """As the domain wants it."""
        return CustomRole(
            tenant_id=by.tenant_id if self.tenant_id is None else self.tenant_id,
            name=name,
            permissions=frozenset(self.permissions),
            description=self.description,
        )


class NewRoleBody(RoleBody, kw_only=True):
    """`POST /api/v1/roles`."""

    name: str


def role_routes(door: Door, manage: ManageRoles) -> list[Route]:
    """`/api/v1/roles`, and one of them; `tenant_id` names another tenant for those who manage tenants."""

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id")
        found = await manage.all(by, request.query_params.get("tenant_id"))
        return {"roles": [role_object(record) for record in found]}

    async def make(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), NewRoleBody)
        return Created(role_object(await manage.create(by, asked.role(by, asked.name))))

    async def one(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id")
        name = request.path_params["name"]
        return role_object(await manage.one(by, name, request.query_params.get("tenant_id")))

    async def put(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), RoleBody)
        record, new = await manage.put(by, asked.role(by, request.path_params["name"]))
        return Created(role_object(record)) if new else role_object(record)

    async def remove(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id")
        name = request.path_params["name"]
        await manage.remove(by, name, request.query_params.get("tenant_id"))
        return {"name": name, "removed": True}

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/roles"): every,
            ("POST", "/api/v1/roles"): make,
            ("GET", "/api/v1/roles/{name}"): one,
            ("PUT", "/api/v1/roles/{name}"): put,
            ("DELETE", "/api/v1/roles/{name}"): remove,
        },
    )


def role_object(record: RoleRecord) -> dict[str, Any]:
    """A role as JSON; times are ISO, UTC."""
    role = record.role
    return {
        "name": role.name,
        "owner": record.owner,
        "declared_in": record.declared_in,
        "description": role.description,
        "permissions": sorted(record.permissions),
        "keys": record.keys,
        "created_at": None if role.created_at is None else role.created_at.isoformat(),
        "updated_at": None if role.updated_at is None else role.updated_at.isoformat(),
    }
