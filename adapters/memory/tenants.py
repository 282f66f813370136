"""Tenants, their roles and their projects in memory: for tests and simulations; gone with the process."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from application.ports.projects import ProjectStore
from application.ports.roles import RoleStore
from application.ports.tenants import StoredTenant, TenantStore
from domain.errors import Conflict, StoreUnavailable
from domain.tenancy.custom_role import CustomRole
from domain.tenancy.project import Project
from domain.tenancy.tenant import Tenant

Remains = Callable[[str], tuple[str, ...]]


def _nothing_left(_tenant_id: str) -> tuple[str, ...]:
    return ()


class InMemoryTenantStore(TenantStore):
    """Set `reachable` to False to take it away. `remains` says where something of a tenant is left."""

    def __init__(self, remains: Remains = _nothing_left) -> None:
        self.reachable = True
        self._remains = remains
        self._tenants: dict[str, StoredTenant] = {}
        self._generation = 0

    async def put(self, tenant: StoredTenant, *, tenants_max: int) -> bool:
        self._check()
        old = self._tenants.get(tenant.tenant.tenant_id)
        if old is None:
            self._check_room(tenants_max)
        elif old.tenant.created_at is not None:
            tenant = tenant._replace(tenant=replace(tenant.tenant, created_at=old.tenant.created_at))
        self._keep(tenant)
        return old is None

    async def register(self, tenant_id: str, at: datetime, *, tenants_max: int) -> bool:
        self._check()
        if tenant_id in self._tenants:
            return False
        self._check_room(tenants_max)
        tenant = Tenant(tenant_id=tenant_id, created_at=at, updated_at=at)
        self._keep(StoredTenant(tenant, described=False))
        return True

    async def remove(self, tenant_id: str, at: datetime) -> tuple[str, ...] | None:
        del at  # of keys nothing is known here
        self._check()
        if tenant_id not in self._tenants:
            return None
        left = self._remains(tenant_id)
        if not left:
            del self._tenants[tenant_id]
            self._generation += 1
        return left

    async def all(self) -> list[StoredTenant]:
        self._check()
        return [self._tenants[tenant_id] for tenant_id in sorted(self._tenants)]

    async def generation(self) -> int:
        self._check()
        return self._generation

    def _keep(self, tenant: StoredTenant) -> None:
        self._tenants[tenant.tenant.tenant_id] = tenant
        self._generation += 1

    def _check_room(self, tenants_max: int) -> None:
        if len(self._tenants) >= tenants_max:
            raise Conflict(f"{tenants_max} tenants are known; no more are kept")

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the tenant store is not reachable")


class InMemoryRoleStore(RoleStore):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._roles: dict[tuple[str, str], CustomRole] = {}
        self._generation = 0

    async def put(self, role: CustomRole, *, roles_max: int) -> bool:
        self._check()
        place = (role.tenant_id, role.name)
        old = self._roles.get(place)
        if old is None:
            if sum(tenant_id == role.tenant_id for tenant_id, _ in self._roles) >= roles_max:
                raise Conflict(f"this tenant made {roles_max} roles; no more are kept")
        else:
            role = replace(role, created_at=old.created_at)
        self._roles[place] = role
        self._generation += 1
        return old is None

    async def remove(self, tenant_id: str, name: str) -> bool:
        self._check()
        if self._roles.pop((tenant_id, name), None) is None:
            return False
        self._generation += 1
        return True

    async def all(self) -> list[CustomRole]:
        self._check()
        return [self._roles[place] for place in sorted(self._roles)]

    async def generation(self) -> int:
        self._check()
        return self._generation

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the role store is not reachable")


class InMemoryProjectStore(ProjectStore):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._projects: dict[tuple[str, str], Project] = {}

    async def put(self, project: Project, *, projects_max: int) -> bool:
        self._check()
        place = (project.tenant_id, project.name)
        old = self._projects.get(place)
        if old is None:
            if len(await self.of(project.tenant_id)) >= projects_max:
                raise Conflict(f"this tenant has {projects_max} projects; no more are kept")
        else:
            project = replace(project, created_at=old.created_at)
        self._projects[place] = project
        return old is None

    async def remove(self, tenant_id: str, name: str) -> bool:
        self._check()
        return self._projects.pop((tenant_id, name), None) is not None

    async def of(self, tenant_id: str) -> list[Project]:
        self._check()
        return [self._projects[place] for place in sorted(self._projects) if place[0] == tenant_id]

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the project store is not reachable")
