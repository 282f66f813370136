"""Making, describing, suspending and removing tenants. What the file declares is the file's.

Whoever manages tenants does so for all of them; everybody else sees their own.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from application.ports.system import Clock
from application.ports.tenants import StoredTenant, TenantStore
from domain.errors import Conflict, Forbidden, OwnedByFile, StoreUnavailable
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT
from domain.tenancy.tenant import TENANTS_MAX, Tenant, TenantState
from domain.tenancy.tenant_rules import check_description, check_manager, check_sight, no_tenant

READ: Final = "tenants.read"


class TenantKeeping(NamedTuple):
    """What the running configuration knows of tenants."""

    declared: Callable[[], Sequence[Tenant]]
    declared_in: Callable[[str], str | None]
    """Where the file declares that tenant, such as `interchange.yaml:12`; None: it does not."""
    check: Callable[[Tenant], None]
    """Raises InvalidRequest for a description that cannot hold here, such as a policy there is not."""
    changed: Callable[[], Awaitable[None]]
    """Told after a change, so that this instance follows at once; the others do within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRecord:
    """A tenant and who may change its description."""

    tenant: Tenant
    described: bool
    declared_in: str | None = None


class ManageTenants:
    """Every change is in force on this instance when it returns, and within a second on all."""

    def __init__(self, store: TenantStore, clock: Clock, keeping: TenantKeeping) -> None:
        self._store = store
        self._clock = clock
        self._keeping = keeping

    async def all(self, by: Principal) -> list[TenantRecord]:
        """By id: all of them for those who manage tenants, else the caller's own.

        Raises Forbidden, StoreUnavailable.
        """
        _check_reader(by)
        everyone = by.may("tenants.manage")
        return [record for record in await self._every() if everyone or _own(by, record)]

    async def one(self, by: Principal, tenant_id: str) -> TenantRecord:
        """Raises NotFound (also for somebody else's), Forbidden, StoreUnavailable."""
        _check_reader(by)
        check_sight(by, tenant_id)
        return await self._found(tenant_id)

    async def create(self, by: Principal, tenant: Tenant) -> TenantRecord:
        """Raises InvalidRequest (names the field), Forbidden, Conflict (there is one, too many), OwnedByFile,
        StoreUnavailable."""
        check_manager(by)
        self._refuse_if_declared(tenant.tenant_id)
        known = {record.tenant.tenant_id: record for record in await self._every()}.get(tenant.tenant_id)
        if known is not None and known.described:
            raise Conflict(f"tenant {tenant.tenant_id} exists", param="tenant_id")
        return (await self._put(tenant, known))[0]

    async def replace(
        self, by: Principal, tenant: Tenant, *, keep_state: bool = False
    ) -> tuple[TenantRecord, bool]:
        """The tenant as it now is, and whether it is new. `keep_state`: a suspended one stays suspended.

        Raises as `create` does.
        """
        check_manager(by)
        self._refuse_if_declared(tenant.tenant_id)
        known = {record.tenant.tenant_id: record for record in await self._every()}.get(tenant.tenant_id)
        if keep_state and known is not None:
            tenant = replace(tenant, state=known.tenant.state)
        return await self._put(tenant, known)

    async def set_state(self, by: Principal, tenant_id: str, state: TenantState) -> TenantRecord:
        """Suspends a tenant or lets it go on; what it has stays. Raises as `create`, and NotFound."""
        check_manager(by)
        self._refuse_if_declared(tenant_id)
        known = await self._found(tenant_id)
        return (await self._put(replace(known.tenant, state=state), known))[0]

    async def release(self, by: Principal, tenant_id: str) -> TenantRecord:
        """Gives up what was described here, so that the file may describe it; nothing is demanded meanwhile.

        Raises Forbidden, NotFound, Conflict for one that is suspended, StoreUnavailable.
        """
        check_manager(by)
        for stored in await self._store.all():
            if stored.tenant.tenant_id != tenant_id:
                continue
            if not stored.tenant.active:
                raise Conflict(f"tenant {tenant_id} is suspended; let it go on first", param="tenant_id")
            bare = Tenant(tenant_id=tenant_id, created_at=stored.tenant.created_at)
            await self._store.put(StoredTenant(bare, described=False), tenants_max=TENANTS_MAX)
            await self._tell()
            return TenantRecord(tenant=bare, described=False)
        raise no_tenant(tenant_id)

    async def remove(self, by: Principal, tenant_id: str) -> TenantRecord:
        """Its last state. Only a tenant of which nothing is left can be removed; others can be suspended.

        Raises NotFound, Forbidden, Conflict (`details.left` names what is left), OwnedByFile,
        StoreUnavailable.
        """
        check_manager(by)
        self._refuse_if_declared(tenant_id)
        if tenant_id == OPERATOR_TENANT:
            raise Conflict(
                f"{OPERATOR_TENANT} runs the installation and cannot be removed", param="tenant_id"
            )
        known = await self._found(tenant_id)
        left = await self._store.remove(tenant_id, self._clock.utc_now())
        if left is None:
            raise no_tenant(tenant_id)
        if left:
            raise Conflict(
                f"tenant {tenant_id} still has {', '.join(left)}; suspend it, or remove them first",
                param="tenant_id",
                details={"left": list(left)},
            )
        await self._tell()
        return known

    async def _put(self, tenant: Tenant, known: TenantRecord | None) -> tuple[TenantRecord, bool]:
        now = self._clock.utc_now()
        created = now if known is None or known.tenant.created_at is None else known.tenant.created_at
        kept = replace(tenant, created_at=created, updated_at=now)
        check_description(kept)
        if known is None or replace(kept, state=known.tenant.state) != replace(known.tenant, updated_at=now):
            # Only suspending, or letting go on, has to work whatever the configuration knows by now.
            self._keeping.check(kept)
        new = await self._store.put(StoredTenant(kept, described=True), tenants_max=TENANTS_MAX)
        await self._tell()
        return TenantRecord(tenant=kept, described=True), new

    async def _found(self, tenant_id: str) -> TenantRecord:
        for record in await self._every():
            if record.tenant.tenant_id == tenant_id:
                return record
        raise no_tenant(tenant_id)

    async def _every(self) -> list[TenantRecord]:
        records = {
            stored.tenant.tenant_id: TenantRecord(tenant=stored.tenant, described=stored.described)
            for stored in await self._store.all()
        }
        for tenant in self._keeping.declared():
            known = records.get(tenant.tenant_id)
            created = None if known is None else known.tenant.created_at
            records[tenant.tenant_id] = TenantRecord(
                tenant=replace(tenant, created_at=created),
                described=True,
                declared_in=self._keeping.declared_in(tenant.tenant_id),
            )
        return [records[tenant_id] for tenant_id in sorted(records)]

    def _refuse_if_declared(self, tenant_id: str) -> None:
        place = self._keeping.declared_in(tenant_id)
        if place is not None:
            raise OwnedByFile(
                f"tenant {tenant_id} is declared in {place}; change it there, or take it out there first",
                param="tenant_id",
                details={"owner": "file", "declared_in": place},
            )

    async def _tell(self) -> None:
        # The change is in the store already; a slow start of using it is no reason to report a failure.
        with suppress(StoreUnavailable):
            await self._keeping.changed()


def _own(by: Principal, record: TenantRecord) -> bool:
    return record.tenant.tenant_id == by.tenant_id


def _check_reader(by: Principal) -> None:
    if not by.may(READ):
        raise Forbidden(f"the role {by.role!r} may not do this (needs {READ})")
