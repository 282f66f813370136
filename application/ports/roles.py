"""Keeping the roles tenants made for themselves.

Failure policy: raises `StoreUnavailable`; the roles in use stay in use. Nothing on the hot path asks.
"""

from abc import abstractmethod
from typing import Protocol

from domain.tenancy.custom_role import CustomRole


class RoleStore(Protocol):
    @abstractmethod
    async def put(self, role: CustomRole, *, roles_max: int) -> bool:
        """Keeps the role, in the place of an older one of that name in its tenant; the time of the first one
        stays. True: there was none.

        Raises Conflict when it would be one more than `roles_max` in that tenant.
        """
        ...

    @abstractmethod
    async def remove(self, tenant_id: str, name: str) -> bool:
        """Whether there was such a role."""
        ...

    @abstractmethod
    async def all(self) -> list[CustomRole]:
        """Every role of every tenant, by tenant and name."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """A number that changes with every change of any role; cheap to ask."""
        ...
