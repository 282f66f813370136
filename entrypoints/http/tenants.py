"""Tenants and their projects as objects."""

from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_projects import ManageProjects
from application.use_cases.manage_tenants import ManageTenants, TenantRecord
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from domain.tenancy.project import Project
from domain.tenancy.tenant import Tenant, TenantState
from domain.tenancy.tenant_rules import state_of
from entrypoints.http.guard import Body, Created, Door, decode, guarded_routes, only_parameters, read_bounded


class TenantBody(Body):
    """`PUT /api/v1/tenants/{tenant_id}`."""

    name: str = ""
    organisation: str = ""
    state: str | None = None
    residency: str = ""
    compliance: list[str] = msgspec.field(default_factory=list)
    privacy: str = ""
    guardrails: list[str] = msgspec.field(default_factory=list)
    networks: list[str] = msgspec.field(default_factory=list)
    egress: list[str] = msgspec.field(default_factory=list)
    projects: str = "free"

    def tenant(self, tenant_id: str) -> Tenant:
        """As the domain wants it. Raises InvalidRequest."""
        if self.projects not in ("free", "enforced"):
            raise InvalidRequest("projects must be free or enforced", param="projects")
        return Tenant(
            tenant_id=tenant_id,
            name=self.name,
            organisation=self.organisation,
            state=TenantState.ACTIVE if self.state is None else state_of(self.state),
            residency=self.residency,
            compliance=frozenset(self.compliance),
            privacy=self.privacy,
            guardrails=tuple(self.guardrails),
            networks=tuple(self.networks),
            egress=tuple(self.egress),
            projects_enforced=self.projects == "enforced",
        )


class NewTenantBody(TenantBody, kw_only=True):
    """`POST /api/v1/tenants`."""

    tenant_id: str


class ProjectBody(Body):
    """`PUT /api/v1/tenants/{tenant_id}/projects/{name}`."""

    cost_center: str = ""
    description: str = ""


def tenant_routes(door: Door, manage: ManageTenants) -> list[Route]:
    """`/api/v1/tenants`, and one of them."""

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request)
        return {"tenants": [tenant_object(record) for record in await manage.all(by)]}

    async def make(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), NewTenantBody)
        return Created(tenant_object(await manage.create(by, asked.tenant(asked.tenant_id))))

    async def one(request: Request, by: Principal) -> Any:
        return tenant_object(await manage.one(by, request.path_params["tenant_id"]))

    async def put(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), TenantBody)
        tenant = asked.tenant(request.path_params["tenant_id"])
        record, new = await manage.replace(by, tenant, keep_state=asked.state is None)
        return Created(tenant_object(record)) if new else tenant_object(record)

    async def remove(request: Request, by: Principal) -> Any:
        record = await manage.remove(by, request.path_params["tenant_id"])
        return {"tenant_id": record.tenant.tenant_id, "removed": True}

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/tenants"): every,
            ("POST", "/api/v1/tenants"): make,
            ("GET", "/api/v1/tenants/{tenant_id}"): one,
            ("PUT", "/api/v1/tenants/{tenant_id}"): put,
            ("DELETE", "/api/v1/tenants/{tenant_id}"): remove,
        },
    )


def project_routes(door: Door, manage: ManageProjects) -> list[Route]:
    """`/api/v1/tenants/{tenant_id}/projects`, and one of them."""

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request)
        found = await manage.all(by, request.path_params["tenant_id"])
        return {"projects": [project_object(project) for project in found]}

    async def put(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), ProjectBody)
        project, new = await manage.put(
            by,
            Project(
                tenant_id=request.path_params["tenant_id"],
                name=request.path_params["name"],
                cost_center=asked.cost_center,
                description=asked.description,
            ),
        )
        return Created(project_object(project)) if new else project_object(project)

    async def remove(request: Request, by: Principal) -> Any:
        tenant_id, name = request.path_params["tenant_id"], request.path_params["name"]
        await manage.remove(by, tenant_id, name)
        return {"tenant_id": tenant_id, "name": name, "removed": True}

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/tenants/{tenant_id}/projects"): every,
            ("PUT", "/api/v1/tenants/{tenant_id}/projects/{name:path}"): put,
            ("DELETE", "/api/v1/tenants/{tenant_id}/projects/{name:path}"): remove,
        },
    )


def tenant_object(record: TenantRecord) -> dict[str, Any]:
    """A tenant as JSON; times are ISO, UTC."""
    tenant = record.tenant
    return {
        "tenant_id": tenant.tenant_id,
        "owner": "api" if record.declared_in is None else "file",
        "declared_in": record.declared_in,
        "described": record.described,
        "name": tenant.name,
        "organisation": tenant.organisation,
        "state": tenant.state.value,
        "residency": tenant.residency,
        "compliance": sorted(tenant.compliance),
        "privacy": tenant.privacy,
        "guardrails": list(tenant.guardrails),
        "networks": list(tenant.networks),
        "egress": list(tenant.egress),
        "projects": "enforced" if tenant.projects_enforced else "free",
        "created_at": _iso(tenant.created_at),
        "updated_at": _iso(tenant.updated_at),
    }


def project_object(project: Project) -> dict[str, Any]:
    """A project as JSON; times are ISO, UTC."""
    return {
        "tenant_id": project.tenant_id,
        "name": project.name,
        "cost_center": project.cost_center,
        "description": project.description,
        "created_at": _iso(project.created_at),
        "updated_at": _iso(project.updated_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
