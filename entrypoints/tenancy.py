"""Puts together what keeps, follows and manages tenants, their projects and their roles."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from application.ports.keys import KeyStore
from application.ports.projects import ProjectStore
from application.ports.roles import RoleStore
from application.ports.system import Clock
from application.ports.tenants import StoredTenant, TenantStore
from application.role_book import RoleBook
from application.tenant_book import TenantBook
from application.tenant_registry import TenantRegistry
from application.use_cases.follow_tenancy import FollowTenancy, TenancyDeclared, check_tenants
from application.use_cases.manage_projects import ManageProjects
from application.use_cases.manage_roles import ManageRoles, RoleKeeping
from application.use_cases.manage_tenants import ManageTenants, TenantKeeping
from domain.errors import Conflict, InvalidRequest
from domain.tenancy.tenant import Tenant
from entrypoints.config.tenant_findings import known_regions
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import LoadedSettings, Settings


class TenancyStores(NamedTuple):
    """What tenants, roles and projects are kept in."""

    tenants: TenantStore
    roles: RoleStore
    projects: ProjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Managing:
    """What routes and commands call."""

    tenants: ManageTenants
    projects: ManageProjects
    roles: ManageRoles


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """`follow.refresh` is for the lifespan to run. `registry` is asked whenever a key is made."""

    stores: TenancyStores
    follow: FollowTenancy
    registry: TenantRegistry
    tenants: TenantBook
    roles: RoleBook

    def managing(
        self,
        loaded: Callable[[], LoadedSettings],
        keys: KeyStore,
        clock: Clock,
        changed: Callable[[], Awaitable[None]] | None = None,
    ) -> Managing:
        """What people do with tenants under this configuration; `changed` follows at once unless given."""
        told = changed or self.follow.refresh
        keeping = TenantKeeping(
            declared=lambda: declared_tenancy(loaded().settings).tenants,
            declared_in=lambda name: declared_in(loaded(), "tenants", name),
            check=lambda tenant: check_known(loaded().settings, tenant),
            changed=told,
        )
        role_keeping = RoleKeeping(
            declared_in=lambda name: declared_in(loaded(), "roles", name), changed=told
        )
        return Managing(
            tenants=ManageTenants(self.stores.tenants, clock, keeping),
            projects=ManageProjects(self.stores.projects, keys, self.tenants, clock),
            roles=ManageRoles(self.stores.roles, keys, self.roles, clock, role_keeping),
        )


def make_tenancy(
    managed: TenancyStores,
    followed: TenancyStores,
    tenants: TenantBook,
    roles: RoleBook,
    clock: Clock,
) -> Tenancy:
    """`managed` sees what the caller may see, `followed` everything."""
    return Tenancy(
        stores=managed,
        follow=FollowTenancy(followed.tenants, followed.roles, tenants, roles),
        registry=TenantRegistry(followed.tenants, followed.projects, tenants, clock),
        tenants=tenants,
        roles=roles,
    )


def declared_tenancy(settings: Settings) -> TenancyDeclared:
    """What the configuration file says."""
    return TenancyDeclared(
        tenants=tuple(section.tenant(name) for name, section in settings.tenants.items()),
        roles=tuple(section.role(name) for name, section in settings.roles.items()),
    )


def declared_in(loaded: LoadedSettings, section: str, name: str) -> str | None:
    """Where the file declares the tenant or role of this name; None: it does not."""
    if name not in getattr(loaded.settings, section):
        return None
    where = loaded.config_file.name if loaded.config_file is not None else "the configuration"
    line = loaded.lines.get((section, name))
    return where if line is None else f"{where}:{line}"


def check_known(settings: Settings, tenant: Tenant) -> None:
    """Raises InvalidRequest for a region, a privacy policy or a guardrail that this installation does not
    know: nothing could ever meet it."""
    policies = settings.privacy.names()
    if tenant.privacy and tenant.privacy not in policies:
        raise InvalidRequest(f"no policy {tenant.privacy!r}; known: {', '.join(policies)}", param="privacy")
    unknown = sorted(set(tenant.guardrails) - settings.guardrails.keys())
    if unknown:
        raise InvalidRequest(
            f"no guardrail {unknown[0]!r}; known: {', '.join(settings.guardrails) or 'none'}",
            param="guardrails",
        )
    known = known_regions(settings)
    if tenant.residency and tenant.residency not in known:
        raise InvalidRequest(
            f"no region or group {tenant.residency!r}; known: {', '.join(known)}", param="residency"
        )


def check_tenant_names(declared: TenancyDeclared, stored: Sequence[StoredTenant]) -> None:
    """Raises ProvisioningError for a tenant that was also described through the API."""
    try:
        check_tenants(declared.tenants, stored)
    except Conflict as error:
        raise ProvisioningError([error.message]) from None


async def start_tenancy(follow: FollowTenancy, settings: Settings) -> None:
    """Puts the first set of tenants and roles in force. Raises ProvisioningError, StoreUnavailable."""
    try:
        await follow.start(declared_tenancy(settings))
    except Conflict as error:
        raise ProvisioningError([error.message]) from None
