"""Keeping tenants that were registered or described through the API. Those of the file are not here.

Failure policy: raises `StoreUnavailable`; the tenants in use stay in use. Nothing on the hot path asks.
"""

from abc import abstractmethod
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.tenancy.tenant import Tenant


class StoredTenant(NamedTuple):
    """A tenant as it is kept. Not `described`: it only came to be known with its first key, and gives way to
    a description in the file."""

    tenant: Tenant
    described: bool


class TenantStore(Protocol):
    @abstractmethod
    async def put(self, tenant: StoredTenant, *, tenants_max: int) -> bool:
        """Keeps this in the place of what was known of the tenant; when it was first known stays. True: it
        was not known.

        Raises Conflict when it would be one more than `tenants_max`.
        """
        ...

    @abstractmethod
    async def register(self, tenant_id: str, at: datetime, *, tenants_max: int) -> bool:
        """Makes a tenant known without a description; one that is known stays as it is. True: it is new.

        Raises Conflict as `put`.
        """
        ...

    @abstractmethod
    async def remove(self, tenant_id: str, at: datetime) -> tuple[str, ...] | None:
        """Removes a tenant of which nothing is left, with its roles, its projects and its keys that let
        nobody in any more. What is left of it keeps it: the names of the places; None: no such tenant.

        Nothing is changed unless the answer is empty. Entries of the audit trail stay.
        """
        ...

    @abstractmethod
    async def all(self) -> list[StoredTenant]:
        """Every tenant, by id."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """A number that changes with every change of any tenant; cheap to ask."""
        ...
