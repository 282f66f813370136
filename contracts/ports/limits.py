"""What every LimitStore promises."""

import asyncio

import pytest

from application.ports.limits import LimitStore, StoredLimit
from contracts.ports._base import PortContract
from domain.errors import Conflict, StoreUnavailable

NOW_US = 1_772_368_215_123_456


def stored(
    limit_id: str = "lim_1", name: str = "Team", tenant_id: str = "acme", body: str = '{"limit":1}'
) -> StoredLimit:
    return StoredLimit(limit_id, tenant_id, name, body, NOW_US, NOW_US + 1)


class LimitStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> LimitStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> LimitStore:
        raise NotImplementedError

    async def test_a_new_store_holds_no_limit(self, store: LimitStore) -> None:
        assert await store.all() == []

    async def test_what_was_put_is_what_is_read_by_id(self, store: LimitStore) -> None:
        second = stored("lim_2", "Zürich 🧾", "other", '{"limit":"ö"}')

        assert await store.put(second) is True
        assert await store.put(stored()) is True

        assert await store.all() == [stored(), second]

    async def test_a_limit_put_again_takes_the_place_of_the_old(self, store: LimitStore) -> None:
        await store.put(stored())
        newer = stored(name="Renamed", body="{}")

        assert await store.put(newer) is False

        assert await store.all() == [newer]

    async def test_a_name_belongs_to_one_limit_of_a_tenant(self, store: LimitStore) -> None:
        await store.put(stored())
        await store.put(stored("lim_2", "Other"))
        before = await store.generation()

        with pytest.raises(Conflict) as made:
            await store.put(stored("lim_3"))
        with pytest.raises(Conflict) as renamed:
            await store.put(stored("lim_2"))

        assert made.value.param == renamed.value.param == "name"
        assert await store.all() == [stored(), stored("lim_2", "Other")]
        assert await store.generation() == before

    async def test_tenants_may_use_the_same_name(self, store: LimitStore) -> None:
        await store.put(stored())

        assert await store.put(stored("lim_2", tenant_id="other")) is True

    async def test_nobody_takes_over_a_limit_of_another_tenant(self, store: LimitStore) -> None:
        await store.put(stored())

        with pytest.raises(Conflict):
            await store.put(stored(tenant_id="other", name="Mine"))

        assert await store.all() == [stored()]

    async def test_a_deleted_limit_is_gone_and_deleted_once(self, store: LimitStore) -> None:
        await store.put(stored())

        assert await store.delete("other", "lim_1") is False
        assert await store.delete("acme", "lim_1") is True
        assert await store.delete("acme", "lim_1") is False

        assert await store.all() == []

    async def test_the_generation_changes_with_every_change_and_only_then(self, store: LimitStore) -> None:
        seen = [await store.generation()]
        await store.put(stored())
        seen.append(await store.generation())
        await store.put(stored(body="{}"))
        seen.append(await store.generation())
        await store.delete("acme", "lim_1")
        seen.append(await store.generation())
        await store.delete("acme", "lim_1")
        await store.all()

        assert seen == sorted(set(seen))
        assert await store.generation() == seen[-1]

    async def test_of_many_making_the_same_limit_one_is_new(self, store: LimitStore) -> None:
        new = await asyncio.gather(*(store.put(stored()) for _ in range(8)))

        assert new.count(True) == 1

    async def test_of_many_taking_the_same_name_one_gets_it(self, store: LimitStore) -> None:
        made = await asyncio.gather(
            *(store.put(stored(f"lim_{number}")) for number in range(6)), return_exceptions=True
        )

        assert made.count(True) == 1
        assert sum(isinstance(each, Conflict) for each in made) == 5

    async def test_an_unreachable_store_says_so(self, unreachable_store: LimitStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.generation()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.all()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.put(stored())
        with pytest.raises(StoreUnavailable):
            await unreachable_store.delete("acme", "lim_1")
