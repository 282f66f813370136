"""What every IntegrationStore and every HealthLog promises."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from application.ports.integrations import HealthLog, IntegrationStore
from contracts.ports._base import PortContract
from domain.connectors.health import HealthCheck, HealthState
from domain.connectors.integration import Integration, IntegrationKind, IntegrationState
from domain.errors import Conflict, IntegrationExists, NotFound, StoreUnavailable

NOW_US = 1_772_368_215_123_456
MAX = 500


def stored(integration_id: str = "warehouse", tenant_id: str = "acme", **changed: Any) -> Integration:
    made = Integration(
        tenant_id=tenant_id,
        integration_id=integration_id,
        kind=IntegrationKind.DATABASE,
        configuration={
            "endpoint": "postgresql://db.example:5432/sales",
            "authentication": {"type": "password", "username": "reader Ω"},
            "max_rows": 1000,
            "templates": [{"name": "top", "sql": "SELECT 1"}],
            "ratio": 0.25,
            "nothing": None,
        },
        credentials={"password": f"{integration_id}.password"},
        circuit_breaker={"failure_threshold": 3},
        monitoring={"enabled": True, "interval_s": 30},
        version=1,
        created_at_us=NOW_US,
        updated_at_us=NOW_US + 1,
        updated_by="key_1",
    )
    return replace(made, **changed)


def check(at: int, *, name: str = "warehouse", tenant: str = "acme", error: str = "") -> HealthCheck:
    state = HealthState.UNHEALTHY if error else HealthState.HEALTHY
    return HealthCheck(tenant, name, NOW_US + at, state, None if error else 1.5, error, 1 if error else 0)


class IntegrationStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> IntegrationStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> IntegrationStore:
        raise NotImplementedError

    async def test_a_new_store_holds_nothing(self, store: IntegrationStore) -> None:
        assert await store.all() == []
        assert await store.get("acme", "warehouse") is None
        assert await store.page("acme", limit=10) == []

    async def test_what_was_put_is_what_is_read(self, store: IntegrationStore) -> None:
        await store.put(stored(), tenant_max=MAX)

        assert await store.get("acme", "warehouse") == stored()
        assert await store.all() == [stored()]

    async def test_tenants_have_names_of_their_own(self, store: IntegrationStore) -> None:
        other = stored(tenant_id="other", kind=IntegrationKind.API)
        await store.put(other, tenant_max=MAX)
        await store.put(stored(), tenant_max=MAX)

        assert await store.get("other", "warehouse") == other
        assert await store.page("acme", limit=10) == [stored()]
        assert await store.all() == [stored(), other]

    async def test_a_name_is_taken_once(self, store: IntegrationStore) -> None:
        await store.put(stored(), tenant_max=MAX)
        before = await store.generation()

        with pytest.raises(IntegrationExists) as taken:
            await store.put(stored(version=7), tenant_max=MAX)

        assert taken.value.param == "integration_id"
        assert await store.get("acme", "warehouse") == stored()
        assert await store.generation() == before

    async def test_of_many_who_put_the_same_one_succeeds(self, store: IntegrationStore) -> None:
        answers = await asyncio.gather(
            *(store.put(stored(), tenant_max=MAX) for _ in range(6)), return_exceptions=True
        )

        assert answers.count(None) == 1
        assert sum(isinstance(answer, IntegrationExists) for answer in answers) == 5

    async def test_a_tenant_has_so_many_and_no_more(self, store: IntegrationStore) -> None:
        await store.put(stored("one"), tenant_max=2)
        await store.put(stored("other", "somebody"), tenant_max=2)
        await store.put(stored("two"), tenant_max=2)

        with pytest.raises(Conflict) as full:
            await store.put(stored("three"), tenant_max=2)

        assert not isinstance(full.value, IntegrationExists)
        assert [each.integration_id for each in await store.page("acme", limit=10)] == ["one", "two"]

    async def test_pages_go_on_behind_an_id_and_know_kinds(self, store: IntegrationStore) -> None:
        for name in ("b", "a", "d", "c"):
            kind = IntegrationKind.API if name in "bd" else IntegrationKind.DATABASE
            await store.put(stored(name, kind=kind), tenant_max=MAX)

        async def names(**asked: Any) -> list[str]:
            return [each.integration_id for each in await store.page("acme", **asked)]

        assert await names(limit=2) == ["a", "b"]
        assert await names(limit=2, after="b") == ["c", "d"]
        assert await names(limit=9, after="b", kind=IntegrationKind.API) == ["d"]
        assert await names(limit=9, after="d") == []

    async def test_a_change_replaces_all_but_when_it_was_made(self, store: IntegrationStore) -> None:
        await store.put(stored(), tenant_max=MAX)
        newer = stored(
            version=2,
            state=IntegrationState.MAINTENANCE,
            configuration={"endpoint": "sqlite:///x"},
            credentials={},
            circuit_breaker={},
            monitoring={},
            updated_at_us=NOW_US + 9,
            updated_by="key_2",
        )

        await store.change(replace(newer, created_at_us=1), expected_version=1)

        assert await store.get("acme", "warehouse") == newer

    async def test_of_many_who_change_one_version_one_succeeds(self, store: IntegrationStore) -> None:
        await store.put(stored(), tenant_max=MAX)

        answers = await asyncio.gather(
            *(
                store.change(stored(version=2, updated_by=f"key_{number}"), expected_version=1)
                for number in range(6)
            ),
            return_exceptions=True,
        )

        assert answers.count(None) == 1
        assert sum(isinstance(answer, Conflict) for answer in answers) == 5

    async def test_what_is_not_there_is_not_changed(self, store: IntegrationStore) -> None:
        await store.put(stored(tenant_id="other"), tenant_max=MAX)

        with pytest.raises(NotFound):
            await store.change(stored(version=2), expected_version=1)

    async def test_deleting_goes_once_and_for_one_tenant(self, store: IntegrationStore) -> None:
        await store.put(stored(), tenant_max=MAX)

        assert await store.delete("other", "warehouse") is False
        assert await store.delete("acme", "warehouse") is True
        assert await store.delete("acme", "warehouse") is False
        assert await store.all() == []

    async def test_the_generation_counts_changes_and_nothing_else(self, store: IntegrationStore) -> None:
        seen = [await store.generation()]
        await store.put(stored(), tenant_max=MAX)
        seen.append(await store.generation())
        await store.change(stored(version=2), expected_version=1)
        seen.append(await store.generation())
        await store.delete("acme", "warehouse")
        seen.append(await store.generation())
        await store.delete("acme", "warehouse")
        with pytest.raises(NotFound):
            await store.change(stored(version=2), expected_version=1)

        assert seen == sorted(set(seen))
        assert await store.generation() == seen[-1]

    async def test_an_unreachable_store_says_so(self, unreachable_store: IntegrationStore) -> None:
        for work in (
            unreachable_store.get("acme", "warehouse"),
            unreachable_store.page("acme", limit=1),
            unreachable_store.all(),
            unreachable_store.put(stored(), tenant_max=MAX),
            unreachable_store.change(stored(), expected_version=1),
            unreachable_store.delete("acme", "warehouse"),
            unreachable_store.generation(),
        ):
            with pytest.raises(StoreUnavailable):
                await work


class HealthLogContract(PortContract):
    """Bind `store` and `health`, two sides of the same rows, and `unreachable_health`."""

    @pytest.fixture
    def store(self) -> IntegrationStore:
        raise NotImplementedError

    @pytest.fixture
    def health(self) -> HealthLog:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_health(self) -> HealthLog:
        raise NotImplementedError

    async def test_nothing_is_known_before_somebody_looked(self, health: HealthLog) -> None:
        assert await health.latest("acme", "warehouse") is None
        assert await health.history("acme", "warehouse", limit=5) == []

    async def test_the_newest_check_comes_first(self, health: HealthLog) -> None:
        for each in (check(2, error="no route to host"), check(1), check(3), check(9, tenant="other")):
            await health.add(each)

        assert await health.latest("acme", "warehouse") == check(3)
        assert await health.history("acme", "warehouse", limit=2) == [
            check(3),
            check(2, error="no route to host"),
        ]

    async def test_of_two_from_one_moment_the_first_stays(self, health: HealthLog) -> None:
        await health.add(check(1))
        await health.add(check(1, error="late"))

        assert await health.history("acme", "warehouse", limit=5) == [check(1)]

    async def test_one_of_many_gets_to_look(self, health: HealthLog) -> None:
        got = await asyncio.gather(
            *(health.claim("acme", "warehouse", now_us=NOW_US, until_us=NOW_US + 10) for _ in range(6))
        )

        assert got.count(True) == 1
        assert await health.claim("acme", "other", now_us=NOW_US, until_us=NOW_US + 10)
        assert not await health.claim("acme", "warehouse", now_us=NOW_US + 9, until_us=NOW_US + 30)
        assert await health.claim("acme", "warehouse", now_us=NOW_US + 10, until_us=NOW_US + 20)

    async def test_old_checks_go_and_so_do_too_many(self, health: HealthLog) -> None:
        for at in (1, 2, 3, 4, 5):
            await health.add(check(at))
        await health.add(check(1, name="old"))
        await health.add(check(3, name="old"))

        assert await health.tidy(before_us=NOW_US + 2, kept_max=3) == 3

        assert await health.history("acme", "warehouse", limit=9) == [check(5), check(4), check(3)]
        assert await health.history("acme", "old", limit=9) == [check(3, name="old")]

    async def test_checks_go_with_their_integration(self, store: IntegrationStore, health: HealthLog) -> None:
        await store.put(stored(), tenant_max=MAX)
        await store.put(stored(tenant_id="other"), tenant_max=MAX)
        for tenant in ("acme", "other"):
            await health.add(check(1, tenant=tenant))
            await health.claim(tenant, "warehouse", now_us=NOW_US, until_us=NOW_US + 10)

        await store.delete("acme", "warehouse")

        assert await health.latest("acme", "warehouse") is None
        assert await health.claim("acme", "warehouse", now_us=NOW_US, until_us=NOW_US + 10)
        assert await health.latest("other", "warehouse") == check(1, tenant="other")

    async def test_an_unreachable_log_says_so(self, unreachable_health: HealthLog) -> None:
        for work in (
            unreachable_health.add(check(1)),
            unreachable_health.latest("acme", "warehouse"),
            unreachable_health.history("acme", "warehouse", limit=1),
            unreachable_health.claim("acme", "warehouse", now_us=1, until_us=2),
            unreachable_health.tidy(before_us=1, kept_max=1),
        ):
            with pytest.raises(StoreUnavailable):
                await work
