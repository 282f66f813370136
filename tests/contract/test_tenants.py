"""Binds the stores of tenants, roles and projects."""

from datetime import UTC, datetime

import pytest

from adapters.memory.tenants import InMemoryProjectStore, InMemoryRoleStore, InMemoryTenantStore
from adapters.sql.keys import SqlKeyStore
from adapters.sql.projects import SqlProjectStore
from adapters.sql.roles import SqlRoleStore
from adapters.sql.tenants import SqlTenantStore
from application.ports.projects import ProjectStore
from application.ports.roles import RoleStore
from application.ports.tenants import TenantStore
from contracts.ports.tenants import (
    ProjectStoreContract,
    RoleStoreContract,
    TenantStoreContract,
    described,
    project,
    role,
)
from domain.tenancy.key import KeyRecord
from tests.contract.sql_world import AnySqlWorld

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class TestInMemoryTenantStore(TenantStoreContract):
    @pytest.fixture
    def store(self) -> TenantStore:
        return InMemoryTenantStore()

    @pytest.fixture
    def unreachable_store(self) -> TenantStore:
        store = InMemoryTenantStore()
        store.reachable = False
        return store


class TestSqlTenantStore(TenantStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> TenantStore:
        return SqlTenantStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> TenantStore:
        sql.lose()
        return SqlTenantStore(sql.database)


class TestInMemoryRoleStore(RoleStoreContract):
    @pytest.fixture
    def store(self) -> RoleStore:
        return InMemoryRoleStore()

    @pytest.fixture
    def unreachable_store(self) -> RoleStore:
        store = InMemoryRoleStore()
        store.reachable = False
        return store


class TestSqlRoleStore(RoleStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> RoleStore:
        return SqlRoleStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> RoleStore:
        sql.lose()
        return SqlRoleStore(sql.database)


class TestInMemoryProjectStore(ProjectStoreContract):
    @pytest.fixture
    def store(self) -> ProjectStore:
        return InMemoryProjectStore()

    @pytest.fixture
    def unreachable_store(self) -> ProjectStore:
        store = InMemoryProjectStore()
        store.reachable = False
        return store


class TestSqlProjectStore(ProjectStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> ProjectStore:
        return SqlProjectStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> ProjectStore:
        sql.lose()
        return SqlProjectStore(sql.database)


async def test_a_tenant_with_a_live_key_stays_and_goes_with_its_dead_ones(sql: AnySqlWorld) -> None:
    tenants, keys = SqlTenantStore(sql.database), SqlKeyStore(sql.database)
    await tenants.put(described(), tenants_max=10)
    await SqlRoleStore(sql.database).put(role(), roles_max=10)
    await SqlProjectStore(sql.database).put(project(), projects_max=10)
    await keys.add(
        KeyRecord(
            key_id="Key000000001",
            tenant_id="acme",
            name="one",
            role="support",
            hash=b"h" * 32,
            pepper_version=1,
            created_at=NOW,
        )
    )

    assert await tenants.remove("acme", NOW) == ("keys",)
    await keys.revoke("acme", "Key000000001", NOW)
    assert await tenants.remove("acme", NOW) == ()

    assert await keys.all() == []
    assert await SqlRoleStore(sql.database).all() == []
    assert await SqlProjectStore(sql.database).of("acme") == []
