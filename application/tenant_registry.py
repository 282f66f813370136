"""What making a key has to do with tenants and projects: a tenant becomes known with its first key."""

from dataclasses import replace
from typing import Protocol

from application.ports.projects import ProjectStore
from application.ports.system import Clock
from application.ports.tenants import TenantStore
from application.tenant_book import TenantBook
from domain.errors import InvalidRequest
from domain.tenancy.key_rules import NewKey
from domain.tenancy.tenant import TENANTS_MAX


class KeyRegistry(Protocol):
    """What whoever makes keys asks."""

    async def vet(self, new: NewKey) -> NewKey:
        """The key as its tenant wants it. Raises InvalidRequest (`project`), StoreUnavailable."""
        ...

    async def register(self, tenant_id: str) -> None:
        """Its tenant is known from now on. Raises Conflict (too many tenants), StoreUnavailable."""
        ...


class TenantRegistry(KeyRegistry):
    """Asks the store once for a key, nothing for a request."""

    def __init__(self, tenants: TenantStore, projects: ProjectStore, book: TenantBook, clock: Clock) -> None:
        self._tenants = tenants
        self._projects = projects
        self._book = book
        self._clock = clock

    async def vet(self, new: NewKey) -> NewKey:
        enforced = self._book.of(new.tenant_id).projects_enforced
        if not new.project:
            if enforced:
                raise InvalidRequest(f"keys of tenant {new.tenant_id} need a project", param="project")
            return new
        known = {project.name: project for project in await self._projects.of(new.tenant_id)}
        project = known.get(new.project)
        if project is None and enforced:
            shown = ", ".join(sorted(known)[:10]) or "none"
            raise InvalidRequest(
                f"tenant {new.tenant_id} has no project {new.project[:64]!r}; it has: {shown}",
                param="project",
            )
        if project is None or new.cost_center or not project.cost_center:
            return new
        return replace(new, cost_center=project.cost_center)

    async def register(self, tenant_id: str) -> None:
        # What the book knows may have been removed on another instance a moment ago.
        await self._tenants.register(tenant_id, self._clock.utc_now(), tenants_max=TENANTS_MAX)
