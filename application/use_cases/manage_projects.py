"""A tenant's projects: what its keys may be counted for, and which cost centre pays."""

from dataclasses import replace
from typing import Final

from application.ports.keys import KeyStore
from application.ports.projects import ProjectStore
from application.ports.system import Clock
from application.tenant_book import TenantBook
from domain.errors import Conflict, NotFound
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal
from domain.tenancy.project import PROJECTS_PER_TENANT_MAX, Project, check_project
from domain.tenancy.tenant_rules import check_sight

READ: Final = "tenants.read"
WRITE: Final = "keys.write"
"""Whoever makes a tenant's keys says what they are counted for."""


class ManageProjects:
    def __init__(self, store: ProjectStore, keys: KeyStore, tenants: TenantBook, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._tenants = tenants
        self._clock = clock

    async def all(self, by: Principal, tenant_id: str) -> list[Project]:
        """By name. Raises NotFound (somebody else's tenant), Forbidden, StoreUnavailable."""
        check_sight(by, tenant_id)
        check_tenant(by, tenant_id, READ)
        return await self._store.of(tenant_id)

    async def put(self, by: Principal, project: Project) -> tuple[Project, bool]:
        """The project as it now is, and whether it is new. Keys that are there keep what they say.

        Raises InvalidRequest (names the field), NotFound (somebody else's tenant), Forbidden, Conflict (too
        many), StoreUnavailable.
        """
        check_sight(by, project.tenant_id)
        check_tenant(by, project.tenant_id, WRITE)
        check_project(project)
        now = self._clock.utc_now()
        known = {each.name: each for each in await self._store.of(project.tenant_id)}.get(project.name)
        created = now if known is None or known.created_at is None else known.created_at
        kept = replace(project, created_at=created, updated_at=now)
        return kept, await self._store.put(kept, projects_max=PROJECTS_PER_TENANT_MAX)

    async def remove(self, by: Principal, tenant_id: str, name: str) -> None:
        """Raises NotFound, Forbidden, Conflict (live keys need it), StoreUnavailable."""
        check_sight(by, tenant_id)
        check_tenant(by, tenant_id, WRITE)
        if self._tenants.of(tenant_id).projects_enforced:
            now = self._clock.utc_now()
            users = sum(
                record.tenant_id == tenant_id and record.project == name and record.live(now)
                for record in await self._keys.all()
            )
            if users:
                raise Conflict(
                    f"{users} {'key names' if users == 1 else 'keys name'} the project {name[:64]!r}, and "
                    "this tenant's keys need a project that exists",
                    param="name",
                    details={"keys": users},
                )
        if not await self._store.remove(tenant_id, name):
            raise NotFound(f"no project {name[:64]!r} in this tenant", param="name")
