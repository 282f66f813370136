"""What is known of tenants, answered from memory, from a snapshot swapped whole."""

from collections.abc import Callable, Iterable, Mapping

from domain.tenancy.tenant import Tenant, unregistered


class TenantBook:
    """Synchronous; whoever follows the store and the configuration calls `use`.

    `version` changes with every `use`, for those who compile something from tenants.
    """

    def __init__(self) -> None:
        self._tenants: Mapping[str, Tenant] = {}
        self._followers: list[Callable[[], None]] = []
        self.version = 0

    def use(self, tenants: Iterable[Tenant]) -> None:
        """Puts these in the place of all that were known."""
        self._tenants = {tenant.tenant_id: tenant for tenant in tenants}
        self.version += 1
        for follower in self._followers:
            follower()

    def of(self, tenant_id: str) -> Tenant:
        """The tenant; one that nobody described is active and demands nothing."""
        return self._tenants.get(tenant_id) or unregistered(tenant_id)

    def known(self, tenant_id: str) -> Tenant | None:
        """The tenant as it was described; None: nobody did, so nothing is demanded."""
        return self._tenants.get(tenant_id)

    def all(self) -> tuple[Tenant, ...]:
        """Those that are described."""
        return tuple(self._tenants.values())

    def on_change(self, follower: Callable[[], None]) -> None:
        """Called after every `use`; must not raise."""
        self._followers.append(follower)
