"""Keeps tenants and roles as they are declared and stored, in the books that requests are checked against.

What the file says comes with the configuration, the rest from the store, where any instance may change it;
`refresh` notices within its period.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from application.ports.roles import RoleStore
from application.ports.tenants import StoredTenant, TenantStore
from application.role_book import RoleBook
from application.tenant_book import TenantBook
from domain.errors import Conflict
from domain.tenancy.custom_role import CustomRole
from domain.tenancy.tenant import Tenant

REFRESH_EVERY_S: Final = 0.5


class TenancyDeclared(NamedTuple):
    """What the configuration says of tenants and of roles that every tenant has."""

    tenants: tuple[Tenant, ...] = ()
    roles: tuple[CustomRole, ...] = ()


def check_tenants(declared: Sequence[Tenant], stored: Sequence[StoredTenant]) -> None:
    """Raises Conflict for a tenant that the file and the API both describe."""
    described = {each.tenant.tenant_id for each in stored if each.described}
    twice = sorted(tenant.tenant_id for tenant in declared if tenant.tenant_id in described)
    if twice:
        raise Conflict(
            "; ".join(
                f"tenants.{name}: declared in the file and also described through the API (`interchange "
                f"tenants release {name}`); keep one of them"
                for name in twice
            ),
            param="tenant_id",
        )


class FollowTenancy:
    """Belongs to one event loop. The file's word holds where both have a tenant."""

    def __init__(
        self, tenants: TenantStore, roles: RoleStore, tenant_book: TenantBook, role_book: RoleBook
    ) -> None:
        self._tenants = tenants
        self._roles = roles
        self._tenant_book = tenant_book
        self._role_book = role_book
        self._generations: tuple[int, int] | None = None
        self.declared = TenancyDeclared()
        self.stored: tuple[StoredTenant, ...] = ()

    async def start(self, declared: TenancyDeclared) -> None:
        """The first set. Raises Conflict for a tenant that both describe, StoreUnavailable."""
        await self._read()
        check_tenants(declared.tenants, self.stored)
        self.declare(declared)

    def declare(self, declared: TenancyDeclared) -> None:
        """Puts another word of the file in force, at once."""
        self.declared = declared
        self._role_book.declare(declared.roles)
        self._put_in_force()

    async def refresh(self) -> None:
        """Takes over what changed in the store. Raises StoreUnavailable; nothing changes then."""
        # Asked before the rows are read: a change in between is seen next time, never missed.
        if await self._asked() != self._generations:
            await self._read()
            self._put_in_force()

    async def _asked(self) -> tuple[int, int]:
        return await self._tenants.generation(), await self._roles.generation()

    async def _read(self) -> None:
        generations = await self._asked()
        stored = tuple(await self._tenants.all())
        roles = await self._roles.all()
        self.stored, self._generations = stored, generations
        self._role_book.use(roles)

    def _put_in_force(self) -> None:
        by_id = {each.tenant.tenant_id: each.tenant for each in self.stored}
        by_id |= {tenant.tenant_id: tenant for tenant in self.declared.tenants}
        if by_id != {tenant.tenant_id: tenant for tenant in self._tenant_book.all()}:
            self._tenant_book.use(by_id.values())
