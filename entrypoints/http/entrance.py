"""The one place where callers are recognised: who they are, and whether they may come from there."""

from application.key_ring import KeyRing
from application.tenant_book import TenantBook
from domain.errors import Forbidden, InterchangeError, TenantSuspended
from domain.tenancy.networks import allows
from domain.tenancy.principal import Principal
from entrypoints.http.addresses import client_address
from entrypoints.http.asgi import Scope
from entrypoints.http.callers import credential


class Entrance:
    """Nothing else authenticates requests."""

    def __init__(self, key_ring: KeyRing, tenants: TenantBook) -> None:
        self._key_ring = key_ring
        self._tenants = tenants

    async def admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Principal:
        """Whoever calls. Waits only for what is not known here yet.

        Raises:
            Unauthenticated: no credential, or none that lets anybody in.
            Forbidden: not from this address, or the tenant is suspended.
            StoreUnavailable: nobody can tell.
        """
        principal = self._key_ring.authenticate(credential(headers))
        tenant = self._tenants.of(principal.tenant_id)
        if not tenant.active:
            raise TenantSuspended(tenant.tenant_id)
        if principal.networks or tenant.networks:
            address = client_address(scope)
            if not (allows(principal.networks, address) and allows(tenant.networks, address)):
                raise Forbidden(f"this credential may not be used from {address or 'an unknown address'}")
        return principal

    async def known(self, scope: Scope) -> Principal | None:
        """As `admit` for public pages, where it is no error to be nobody."""
        try:
            return await self.admit(scope, dict(scope["headers"]))
        except InterchangeError:
            return None
