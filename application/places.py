"""What is demanded of the place of everybody's content."""

from typing import Final

from application.tenant_book import TenantBook
from domain.residency.place import ANYWHERE, Atlas, Residency
from domain.residency.sinks import NOWHERE_KNOWN, Sinks
from domain.routing.requirements import REGIONS, Requirements


class Places:
    """Adds what tenants are held to, and says where that lets content be. Synchronous, from memory."""

    def __init__(self, tenants: TenantBook, atlas: Atlas, sinks: Sinks = NOWHERE_KNOWN) -> None:
        self._tenants = tenants
        self.atlas = atlas
        self.sinks = sinks

    def hold_to(self, requirements: Requirements, tenant_id: str) -> None:
        """Adds the tenant's residency and compliance to a caller's demands, which can only narrow them."""
        tenant = self._tenants.known(tenant_id)
        if tenant is not None:
            if tenant.residency:
                requirements.held_to = tenant.residency
            if tenant.compliance:
                requirements.compliance |= tenant.compliance
        if requirements.residency is not None or requirements.held_to:
            requirements.without_gateway = not self.sinks.gateway.allowed(self.residency(requirements))

    def residency(self, requirements: Requirements) -> Residency:
        """Where content of a request may be, once `hold_to` was asked."""
        if requirements.residency is None and not requirements.held_to:
            return ANYWHERE
        return self.atlas.residency((requirements.residency or "", requirements.held_to))

    def of_tenant(self, tenant_id: str) -> Residency:
        """Where content of a tenant may be, whatever its callers ask for besides."""
        tenant = self._tenants.known(tenant_id)
        return ANYWHERE if tenant is None else self.atlas.residency((tenant.residency,))


NO_PLACES: Final = Places(TenantBook(), Atlas(REGIONS))
"""Of an installation that describes no tenant and declares no region."""
