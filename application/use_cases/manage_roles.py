"""A tenant's own roles: making, changing, showing and removing them."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from application.ports.keys import KeyStore
from application.ports.roles import RoleStore
from application.ports.system import Clock
from application.role_book import RoleBook
from domain.errors import Conflict, NotFound, OwnedByFile, StoreUnavailable
from domain.tenancy.custom_role import (
    ROLES_PER_TENANT_MAX,
    CustomRole,
    check_role,
    check_role_reach,
)
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal
from domain.tenancy.role import ROLES, permissions_of
from domain.tenancy.tenant_rules import check_sight

READ: Final = "roles.read"
WRITE: Final = "roles.write"


class RoleKeeping(NamedTuple):
    """What the running configuration knows of roles."""

    declared_in: Callable[[str], str | None]
    """Where the file declares that role, such as `interchange.yaml:12`; None: it does not."""
    changed: Callable[[], Awaitable[None]]
    """Told after a change, so that this instance follows at once; the others do within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRecord:
    """A role as a tenant sees it. `owner` is `built-in`, `file` or `api`; `permissions` are those it gives
    there; `keys` is how many live keys of the tenant have it."""

    role: CustomRole
    owner: str
    permissions: frozenset[str]
    keys: int
    declared_in: str | None = None


class ManageRoles:
    """Every change is in force on this instance when it returns, and within a second on all."""

    def __init__(
        self, store: RoleStore, keys: KeyStore, book: RoleBook, clock: Clock, keeping: RoleKeeping
    ) -> None:
        self._store = store
        self._keys = keys
        self._book = book
        self._clock = clock
        self._keeping = keeping

    async def all(self, by: Principal, tenant_id: str | None = None) -> list[RoleRecord]:
        """The built-in ones, those of the file, then the tenant's own by name.

        Raises NotFound (somebody else's tenant), Forbidden, StoreUnavailable.
        """
        tenant_id = self._tenant(by, tenant_id, READ)
        users = await self._users(tenant_id)
        built_in = [CustomRole(tenant_id="", name=name, permissions=ROLES[name]) for name in ROLES]
        own = [role for role in await self._store.all() if role.tenant_id == tenant_id]
        names = {role.name for role in own}
        declared = [role for role in self._book.declared() if role.name not in names]
        return [
            *(_record(role, "built-in", tenant_id, users) for role in built_in),
            *(
                _record(role, "file", tenant_id, users, self._keeping.declared_in(role.name))
                for role in declared
            ),
            *(_record(role, "api", tenant_id, users) for role in own),
        ]

    async def one(self, by: Principal, name: str, tenant_id: str | None = None) -> RoleRecord:
        """Raises as `all`, and NotFound."""
        for record in await self.all(by, tenant_id):
            if record.role.name == name:
                return record
        raise _no_role(name)

    async def put(self, by: Principal, role: CustomRole) -> tuple[RoleRecord, bool]:
        """The role as it now is, and whether it is new. Keys that have it change with it.

        Raises InvalidRequest (names the field), Forbidden (it holds or held more than `by` does), NotFound
        (somebody else's tenant), Conflict (built in, too many), OwnedByFile, StoreUnavailable.
        """
        self._tenant(by, role.tenant_id, WRITE)
        check_role(role)
        self._refuse_if_declared(role.name)
        old = await self._own(role.tenant_id, role.name)
        check_role_reach(by, role.permissions, frozenset() if old is None else old.permissions)
        now = self._clock.utc_now()
        created = now if old is None or old.created_at is None else old.created_at
        kept = replace(role, created_at=created, updated_at=now)
        new = await self._store.put(kept, roles_max=ROLES_PER_TENANT_MAX)
        await self._tell()
        return _record(kept, "api", role.tenant_id, await self._users(role.tenant_id)), new

    async def create(self, by: Principal, role: CustomRole) -> RoleRecord:
        """Raises as `put`; Conflict also for a role there is."""
        self._tenant(by, role.tenant_id, WRITE)
        if await self._own(role.tenant_id, role.name) is not None:
            raise Conflict(f"the role {role.name!r} exists", param="name")
        return (await self.put(by, role))[0]

    async def remove(self, by: Principal, name: str, tenant_id: str | None = None) -> None:
        """Raises NotFound, Forbidden, Conflict (built in, or keys have it), OwnedByFile, StoreUnavailable."""
        tenant_id = self._tenant(by, tenant_id, WRITE)
        if name in ROLES:
            raise Conflict(f"the role {name!r} is built in", param="name")
        old = await self._own(tenant_id, name)
        if old is None:
            self._refuse_if_declared(name)
            raise _no_role(name)
        check_role_reach(by, old.permissions)
        users = (await self._users(tenant_id)).get(name, 0)
        if users:
            raise Conflict(
                f"{users} live {'key has' if users == 1 else 'keys have'} the role {name!r}; revoke "
                f"{'it' if users == 1 else 'them'} first",
                param="name",
                details={"keys": users},
            )
        await self._store.remove(tenant_id, name)
        await self._tell()

    def _tenant(self, by: Principal, tenant_id: str | None, permission: str) -> str:
        wanted = by.tenant_id if tenant_id is None else tenant_id
        check_sight(by, wanted)
        check_tenant(by, wanted, permission)
        return wanted

    async def _own(self, tenant_id: str, name: str) -> CustomRole | None:
        for role in await self._store.all():
            if (role.tenant_id, role.name) == (tenant_id, name):
                return role
        return None

    async def _users(self, tenant_id: str) -> dict[str, int]:
        now = self._clock.utc_now()
        users: dict[str, int] = {}
        for record in await self._keys.all():
            if record.tenant_id == tenant_id and record.live(now):
                users[record.role] = users.get(record.role, 0) + 1
        return users

    def _refuse_if_declared(self, name: str) -> None:
        place = self._keeping.declared_in(name)
        if place is not None:
            raise OwnedByFile(
                f"the role {name!r} is declared in {place} for every tenant; change it there",
                param="name",
                details={"owner": "file", "declared_in": place},
            )

    async def _tell(self) -> None:
        # The change is in the store already; a slow start of using it is no reason to report a failure.
        with suppress(StoreUnavailable):
            await self._keeping.changed()


def _record(
    role: CustomRole, owner: str, tenant_id: str, users: dict[str, int], declared_in: str | None = None
) -> RoleRecord:
    given = permissions_of(role.name, tenant_id, roles={role.name: role.permissions})
    return RoleRecord(
        role=role, owner=owner, permissions=given, keys=users.get(role.name, 0), declared_in=declared_in
    )


def _no_role(name: str) -> NotFound:
    return NotFound(f"no role {name[:63]!r} in this tenant", param="name")
