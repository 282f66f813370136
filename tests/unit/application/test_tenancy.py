"""Following, registering and managing tenants: what is in force, for whom, and since when."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.system import SteppingClock
from adapters.memory.tenants import InMemoryProjectStore, InMemoryRoleStore, InMemoryTenantStore
from application.ports.tenants import StoredTenant
from application.role_book import RoleBook
from application.tenant_book import TenantBook
from application.tenant_registry import TenantRegistry
from application.use_cases.follow_tenancy import FollowTenancy, TenancyDeclared
from application.use_cases.manage_tenants import ManageTenants, TenantKeeping
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, OwnedByFile
from domain.tenancy.custom_role import CustomRole
from domain.tenancy.key_rules import NewKey
from domain.tenancy.project import Project
from domain.tenancy.role import local_operator
from domain.tenancy.tenant import Tenant, TenantState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OPERATOR = local_operator()


class Tenancy:
    """Everything over stores in memory; the file declares `declared`."""

    def __init__(self, *declared: Tenant, check: Callable[[Tenant], None] = lambda _tenant: None) -> None:
        self.tenants, self.roles = InMemoryTenantStore(), InMemoryRoleStore()
        self.projects, self.keys = InMemoryProjectStore(), InMemoryKeyStore()
        self.book, self.role_book = TenantBook(), RoleBook()
        self.follow = FollowTenancy(self.tenants, self.roles, self.book, self.role_book)
        self.declared = TenancyDeclared(tenants=declared)
        clock = SteppingClock()
        self.registry = TenantRegistry(self.tenants, self.projects, self.book, clock)
        names = {tenant.tenant_id for tenant in declared}
        self.manage = ManageTenants(
            self.tenants,
            clock,
            TenantKeeping(
                declared=lambda: declared,
                declared_in=lambda name: "interchange.yaml:3" if name in names else None,
                check=check,
                changed=self.follow.refresh,
            ),
        )


async def test_what_file_and_api_say_is_in_force_together_and_the_file_goes_first() -> None:
    world = Tenancy(Tenant(tenant_id="filed", residency="eu-west"))
    await world.tenants.register("filed", NOW, tenants_max=9)
    await world.tenants.put(StoredTenant(Tenant(tenant_id="made", privacy="strict"), True), tenants_max=9)

    await world.follow.start(world.declared)

    assert world.book.of("filed").residency == "eu-west"
    assert world.book.of("made").privacy == "strict"
    assert world.book.known("nobody") is None


async def test_a_tenant_both_describe_keeps_a_server_from_starting() -> None:
    world = Tenancy(Tenant(tenant_id="filed"))
    await world.tenants.put(StoredTenant(Tenant(tenant_id="filed"), described=True), tenants_max=9)

    with pytest.raises(Conflict, match="tenants release filed"):
        await world.follow.start(world.declared)

    released = await world.manage.release(OPERATOR, "filed")
    assert released.described is False
    await world.follow.start(world.declared)


async def test_another_instances_change_is_taken_over_once() -> None:
    world = Tenancy()
    await world.follow.start(world.declared)
    version = world.book.version
    await world.follow.refresh()
    assert world.book.version == version

    await world.tenants.put(
        StoredTenant(Tenant(tenant_id="x", state=TenantState.SUSPENDED), True), tenants_max=9
    )
    await world.roles.put(
        CustomRole(tenant_id="x", name="r", permissions=frozenset({"usage.read"})), roles_max=9
    )
    await world.follow.refresh()

    assert not world.book.of("x").active
    assert world.role_book.permissions_of("r", "x") == {"usage.read"}


async def test_a_suspended_tenant_stays_described_and_the_operators_never_is() -> None:
    world = Tenancy()
    await world.manage.create(OPERATOR, Tenant(tenant_id="acme", name="Acme"))

    record = await world.manage.set_state(OPERATOR, "acme", TenantState.SUSPENDED)
    assert (record.tenant.name, world.book.of("acme").active) == ("Acme", False)
    with pytest.raises(Conflict):
        await world.manage.release(OPERATOR, "acme")
    replaced, new = await world.manage.replace(OPERATOR, Tenant(tenant_id="acme"), keep_state=True)
    assert (replaced.tenant.active, new) == (False, False)

    await world.tenants.register("default", NOW, tenants_max=9)
    with pytest.raises(InvalidRequest):
        await world.manage.set_state(OPERATOR, "default", TenantState.SUSPENDED)
    with pytest.raises(Conflict):
        await world.manage.remove(OPERATOR, "default")


async def test_a_tenant_is_suspended_even_if_what_it_demands_is_not_known_any_more() -> None:
    known = {"strict"}

    def check(tenant: Tenant) -> None:
        if tenant.privacy not in known:
            raise InvalidRequest("no such policy", param="privacy")

    world = Tenancy(check=check)
    await world.manage.create(OPERATOR, Tenant(tenant_id="acme", privacy="strict"))
    known.clear()

    record = await world.manage.set_state(OPERATOR, "acme", TenantState.SUSPENDED)

    assert not record.tenant.active
    with pytest.raises(InvalidRequest):
        await world.manage.replace(OPERATOR, Tenant(tenant_id="acme", name="A", privacy="strict"))


async def test_what_the_file_declares_nobody_changes() -> None:
    world = Tenancy(Tenant(tenant_id="filed"))
    for attempt in (
        lambda: world.manage.create(OPERATOR, Tenant(tenant_id="filed")),
        lambda: world.manage.replace(OPERATOR, Tenant(tenant_id="filed")),
        lambda: world.manage.set_state(OPERATOR, "filed", TenantState.SUSPENDED),
        lambda: world.manage.remove(OPERATOR, "filed"),
    ):
        with pytest.raises(OwnedByFile):
            await attempt()
    [record] = await world.manage.all(OPERATOR)
    assert record.declared_in == "interchange.yaml:3"


async def test_whoever_manages_no_tenants_sees_their_own_and_changes_none() -> None:
    from tests.unit.tenancy.test_tenants_and_roles import by

    world = Tenancy()
    for name in ("acme", "other"):
        await world.manage.create(OPERATOR, Tenant(tenant_id=name))
    caller = by(frozenset({"tenants.read"}))

    assert [record.tenant.tenant_id for record in await world.manage.all(caller)] == ["acme"]
    with pytest.raises(NotFound):
        await world.manage.one(caller, "other")
    with pytest.raises(Forbidden):
        await world.manage.replace(caller, Tenant(tenant_id="acme"))
    with pytest.raises(Forbidden):
        await world.manage.all(by(frozenset()))


async def test_a_tenant_becomes_known_with_its_first_key_and_only_once() -> None:
    world = Tenancy(Tenant(tenant_id="filed"))
    await world.follow.start(world.declared)

    for name in ("new", "new", "filed"):
        await world.registry.register(name)

    assert [each.tenant.tenant_id for each in await world.tenants.all()] == ["filed", "new"]


async def test_a_project_gives_its_cost_centre_and_may_be_demanded() -> None:
    world = Tenancy(Tenant(tenant_id="strict", projects_enforced=True))
    await world.follow.start(world.declared)
    for tenant_id in ("strict", "free"):
        await world.projects.put(Project(tenant_id=tenant_id, name="web", cost_center="CC-1"), projects_max=9)
    key = NewKey(tenant_id="strict", name="k", role="agent", project="web")

    assert (await world.registry.vet(key)).cost_center == "CC-1"
    own = NewKey(tenant_id="strict", name="k", role="agent", project="web", cost_center="own")
    assert (await world.registry.vet(own)).cost_center == "own"
    for project in ("", "other"):
        with pytest.raises(InvalidRequest):
            await world.registry.vet(NewKey(tenant_id="strict", name="k", role="agent", project=project))
    free = NewKey(tenant_id="free", name="k", role="agent", project="other")
    assert await world.registry.vet(free) == free
