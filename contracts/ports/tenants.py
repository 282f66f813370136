"""What every TenantStore, RoleStore and ProjectStore promises."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from application.ports.projects import ProjectStore
from application.ports.roles import RoleStore
from application.ports.tenants import StoredTenant, TenantStore
from contracts.ports._base import PortContract
from domain.errors import Conflict, StoreUnavailable
from domain.tenancy.custom_role import CustomRole
from domain.tenancy.project import Project
from domain.tenancy.tenant import Tenant, TenantState

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

ACME = Tenant(
    tenant_id="acme",
    name="Äcme Ltd",
    organisation="group-1",
    state=TenantState.SUSPENDED,
    residency="eu",
    compliance=frozenset({"gdpr", "hipaa"}),
    privacy="strict",
    guardrails=("toxicity", "secrets"),
    networks=("203.0.113.0/24",),
    egress=("api.acme.example",),
    projects_enforced=True,
    created_at=NOW,
    updated_at=NOW,
)


def described(tenant_id: str = "acme") -> StoredTenant:
    return StoredTenant(replace(ACME, tenant_id=tenant_id), described=True)


class TenantStoreContract(PortContract):
    """Bind `store`, a new one that may know the operator's own tenant, and `unreachable_store`."""

    @pytest.fixture
    def store(self) -> TenantStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> TenantStore:
        raise NotImplementedError

    async def test_what_was_put_is_what_is_read_by_id(self, store: TenantStore) -> None:
        assert await store.put(described("zeta"), tenants_max=10) is True
        assert await store.put(described("beta"), tenants_max=10) is True

        found = [each for each in await store.all() if each.tenant.tenant_id != "default"]
        assert found == [described("beta"), described("zeta")]

    async def test_a_later_description_keeps_when_the_tenant_was_first_known(
        self, store: TenantStore
    ) -> None:
        await store.register("acme", NOW, tenants_max=10)
        later = replace(ACME, created_at=LATER, updated_at=LATER)

        assert await store.put(StoredTenant(later, described=True), tenants_max=10) is False

        [kept] = [each for each in await store.all() if each.tenant.tenant_id == "acme"]
        assert kept == StoredTenant(replace(ACME, updated_at=LATER), described=True)

    async def test_registering_changes_nothing_of_a_known_tenant(self, store: TenantStore) -> None:
        await store.put(described(), tenants_max=10)
        before = await store.generation()

        assert await store.register("acme", LATER, tenants_max=10) is False
        assert await store.register("beta", LATER, tenants_max=10) is True

        known = {each.tenant.tenant_id: each for each in await store.all()}
        assert known["acme"] == described()
        assert known["beta"].described is False
        assert known["beta"].tenant == Tenant(tenant_id="beta", created_at=LATER, updated_at=LATER)
        assert await store.generation() != before

    async def test_one_too_many_is_refused_and_changes_nothing(self, store: TenantStore) -> None:
        await store.put(described("a"), tenants_max=10)
        most = len(await store.all())
        before = await store.generation()

        with pytest.raises(Conflict):
            await store.put(described("b"), tenants_max=most)
        with pytest.raises(Conflict):
            await store.register("c", NOW, tenants_max=most)

        assert len(await store.all()) == most
        assert await store.generation() == before

    async def test_a_removed_tenant_is_gone_and_removed_once(self, store: TenantStore) -> None:
        await store.put(described(), tenants_max=10)

        assert await store.remove("acme", LATER) == ()
        assert await store.remove("acme", LATER) is None

        assert "acme" not in [each.tenant.tenant_id for each in await store.all()]

    async def test_the_generation_changes_with_every_change(self, store: TenantStore) -> None:
        seen = [await store.generation()]
        await store.put(described(), tenants_max=10)
        seen.append(await store.generation())
        await store.put(described(), tenants_max=10)
        seen.append(await store.generation())
        await store.remove("acme", NOW)
        seen.append(await store.generation())
        await store.all()

        assert len(set(seen)) == 4
        assert await store.generation() == seen[-1]

    async def test_of_many_registering_the_same_tenant_one_is_first(self, store: TenantStore) -> None:
        new = await asyncio.gather(*(store.register("acme", NOW, tenants_max=10) for _ in range(8)))

        assert new.count(True) == 1

    async def test_an_unreachable_store_says_so(self, unreachable_store: TenantStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.generation()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.all()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.put(described(), tenants_max=10)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.register("acme", NOW, tenants_max=10)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.remove("acme", NOW)


def role(name: str = "support", tenant_id: str = "acme") -> CustomRole:
    return CustomRole(
        tenant_id=tenant_id,
        name=name,
        permissions=frozenset({"usage.read", "llm.call"}),
        description="Für Leute",
        created_at=NOW,
        updated_at=NOW,
    )


class RoleStoreContract(PortContract):
    """Bind `store` and `unreachable_store`."""

    @pytest.fixture
    def store(self) -> RoleStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> RoleStore:
        raise NotImplementedError

    async def test_what_was_put_is_what_is_read_by_tenant_and_name(self, store: RoleStore) -> None:
        for each in (role("b"), role("a"), role("z", "aaa")):
            assert await store.put(each, roles_max=10) is True

        assert await store.all() == [role("z", "aaa"), role("a"), role("b")]

    async def test_a_role_put_again_keeps_when_it_was_first_made(self, store: RoleStore) -> None:
        await store.put(role(), roles_max=1)
        newer = replace(role(), permissions=frozenset({"llm.call"}), created_at=LATER, updated_at=LATER)

        assert await store.put(newer, roles_max=1) is False

        assert await store.all() == [replace(newer, created_at=NOW)]

    async def test_the_limit_counts_each_tenant_for_itself(self, store: RoleStore) -> None:
        await store.put(role("a"), roles_max=1)
        await store.put(role("a", "beta"), roles_max=1)

        with pytest.raises(Conflict):
            await store.put(role("b"), roles_max=1)

        assert len(await store.all()) == 2

    async def test_a_role_is_removed_once_and_only_in_its_tenant(self, store: RoleStore) -> None:
        await store.put(role(), roles_max=10)

        assert await store.remove("beta", "support") is False
        assert await store.remove("acme", "support") is True
        assert await store.remove("acme", "support") is False

        assert await store.all() == []

    async def test_the_generation_changes_with_every_change_and_only_then(self, store: RoleStore) -> None:
        seen = [await store.generation()]
        await store.put(role(), roles_max=10)
        seen.append(await store.generation())
        await store.put(role(), roles_max=10)
        seen.append(await store.generation())
        await store.remove("acme", "support")
        seen.append(await store.generation())
        await store.remove("acme", "support")

        assert len(set(seen)) == 4
        assert await store.generation() == seen[-1]

    async def test_an_unreachable_store_says_so(self, unreachable_store: RoleStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.generation()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.all()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.put(role(), roles_max=10)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.remove("acme", "support")


def project(name: str = "Shop front", tenant_id: str = "acme") -> Project:
    return Project(
        tenant_id=tenant_id,
        name=name,
        cost_center="CC-1",
        description="für Kunden",
        created_at=NOW,
        updated_at=NOW,
    )


class ProjectStoreContract(PortContract):
    """Bind `store` and `unreachable_store`."""

    @pytest.fixture
    def store(self) -> ProjectStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> ProjectStore:
        raise NotImplementedError

    async def test_a_tenants_projects_are_its_own_by_name(self, store: ProjectStore) -> None:
        for each in (project("b"), project("a"), project("c", "beta")):
            assert await store.put(each, projects_max=10) is True

        assert await store.of("acme") == [project("a"), project("b")]
        assert await store.of("nobody") == []

    async def test_a_project_put_again_keeps_when_it_was_first_made(self, store: ProjectStore) -> None:
        await store.put(project(), projects_max=1)
        newer = replace(project(), cost_center="", created_at=LATER, updated_at=LATER)

        assert await store.put(newer, projects_max=1) is False

        assert await store.of("acme") == [replace(newer, created_at=NOW)]

    async def test_the_limit_counts_each_tenant_for_itself(self, store: ProjectStore) -> None:
        await store.put(project("a"), projects_max=1)
        await store.put(project("a", "beta"), projects_max=1)

        with pytest.raises(Conflict):
            await store.put(project("b"), projects_max=1)

    async def test_a_project_is_removed_once_and_only_in_its_tenant(self, store: ProjectStore) -> None:
        await store.put(project(), projects_max=10)

        assert await store.remove("beta", "Shop front") is False
        assert await store.remove("acme", "Shop front") is True
        assert await store.remove("acme", "Shop front") is False

    async def test_an_unreachable_store_says_so(self, unreachable_store: ProjectStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.of("acme")
        with pytest.raises(StoreUnavailable):
            await unreachable_store.put(project(), projects_max=10)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.remove("acme", "Shop front")
