"""Which stores stand behind tenants, projects and roles."""

from adapters.sql.database import Database
from adapters.sql.projects import SqlProjectStore
from adapters.sql.roles import SqlRoleStore
from adapters.sql.tenants import SqlTenantStore
from application.ports.system import Clock
from application.role_book import RoleBook
from application.tenant_book import TenantBook
from entrypoints.tenancy import Tenancy, TenancyStores, make_tenancy


def open_tenancy(
    scoped: Database, database: Database, tenants: TenantBook, roles: RoleBook, clock: Clock
) -> Tenancy:
    """Opens nothing. People work on `scoped`, which goes as far as they reach; followers on `database`."""
    return make_tenancy(_stores(scoped), _stores(database), tenants, roles, clock)


def _stores(database: Database) -> TenancyStores:
    return TenancyStores(SqlTenantStore(database), SqlRoleStore(database), SqlProjectStore(database))
