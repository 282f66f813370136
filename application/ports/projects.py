"""Keeping tenants' projects.

Failure policy: raises `StoreUnavailable` and changes nothing. Nothing on the hot path asks.
"""

from abc import abstractmethod
from typing import Protocol

from domain.tenancy.project import Project


class ProjectStore(Protocol):
    @abstractmethod
    async def put(self, project: Project, *, projects_max: int) -> bool:
        """Keeps the project, in the place of an older one of that name in its tenant; the time of the first
        one stays. True: there was none.

        Raises Conflict when it would be one more than `projects_max` in that tenant.
        """
        ...

    @abstractmethod
    async def remove(self, tenant_id: str, name: str) -> bool:
        """Whether there was such a project."""
        ...

    @abstractmethod
    async def of(self, tenant_id: str) -> list[Project]:
        """A tenant's projects, by name."""
        ...
