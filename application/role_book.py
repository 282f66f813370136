"""Which roles each tenant has, answered from memory, from a snapshot swapped whole."""

from collections.abc import Callable, Iterable, Mapping

from domain.tenancy.custom_role import CustomRole
from domain.tenancy.key_rules import RoleTable
from domain.tenancy.role import ROLES, permissions_of


class RoleBook:
    """Synchronous; whoever follows the store and the configuration calls `declare` and `use`.

    A name means the built-in role, else the tenant's own, else the installation's. `version` changes with
    every change, for those who compile something from roles.
    """

    def __init__(self) -> None:
        self._declared: tuple[CustomRole, ...] = ()
        self._stored: tuple[CustomRole, ...] = ()
        self._everywhere: RoleTable = ROLES
        self._tables: Mapping[str, RoleTable] = {}
        self._followers: list[Callable[[], None]] = []
        self.version = 0

    def declare(self, roles: Iterable[CustomRole]) -> None:
        """Those the configuration gives to every tenant."""
        self._compile(tuple(roles), self._stored)

    def use(self, roles: Iterable[CustomRole]) -> None:
        """Those tenants made themselves, in the place of all that were known."""
        self._compile(self._declared, tuple(roles))

    def _compile(self, declared: tuple[CustomRole, ...], stored: tuple[CustomRole, ...]) -> None:
        if (declared, stored) == (self._declared, self._stored):
            return
        self._declared, self._stored = declared, stored
        everywhere = {role.name: role.permissions for role in declared}
        own: dict[str, dict[str, frozenset[str]]] = {}
        for role in stored:
            own.setdefault(role.tenant_id, {})[role.name] = role.permissions
        self._everywhere = {**everywhere, **ROLES}
        self._tables = {tenant_id: {**everywhere, **table, **ROLES} for tenant_id, table in own.items()}
        self.version += 1
        for follower in self._followers:
            follower()

    def of(self, tenant_id: str) -> RoleTable:
        """Permissions by role, as this tenant sees them, before what only the operator's tenant may do is
        taken away."""
        return self._tables.get(tenant_id, self._everywhere)

    def permissions_of(
        self, role: str, tenant_id: str, scopes: frozenset[str] | None = None
    ) -> frozenset[str]:
        """What a key of this role in this tenant may do; nothing for a role there is not."""
        return permissions_of(role, tenant_id, scopes, self.of(tenant_id))

    def declared(self) -> tuple[CustomRole, ...]:
        """Those of the configuration."""
        return self._declared

    def on_change(self, follower: Callable[[], None]) -> None:
        """Called after every change; must not raise."""
        self._followers.append(follower)
