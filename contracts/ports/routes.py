"""What every RouteStore promises."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from application.ports.routes import RouteStore, StoredRoute
from contracts.ports._base import PortContract
from domain.errors import Conflict, StoreUnavailable

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def route(name: str = "assistant", body: str = '{"targets":["acme/small"]}') -> StoredRoute:
    return StoredRoute(name, body, NOW, "Key000000001")


class RouteStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> RouteStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> RouteStore:
        raise NotImplementedError

    async def test_a_new_store_holds_no_route(self, store: RouteStore) -> None:
        assert await store.all() == []

    async def test_what_was_put_is_what_is_read_by_name(self, store: RouteStore) -> None:
        assert await store.put(route("zeta"), routes_max=10) is True
        assert await store.put(route("Älpha", '{"targets":["ö/x"]}'), routes_max=10) is True

        assert await store.all() == [route("zeta"), route("Älpha", '{"targets":["ö/x"]}')]

    async def test_a_route_put_again_takes_the_place_of_the_old(self, store: RouteStore) -> None:
        await store.put(route(), routes_max=1)
        newer = StoredRoute("assistant", "{}", NOW + timedelta(hours=1), "Key000000002")

        assert await store.put(newer, routes_max=1) is False

        assert await store.all() == [newer]

    async def test_one_too_many_is_refused_and_changes_nothing(self, store: RouteStore) -> None:
        await store.put(route("a"), routes_max=2)
        await store.put(route("b"), routes_max=2)
        before = await store.generation()

        with pytest.raises(Conflict):
            await store.put(route("c"), routes_max=2)

        assert [kept.name for kept in await store.all()] == ["a", "b"]
        assert await store.generation() == before

    async def test_a_removed_route_is_gone_and_removed_once(self, store: RouteStore) -> None:
        await store.put(route(), routes_max=10)

        assert await store.remove("assistant") is True
        assert await store.remove("assistant") is False

        assert await store.all() == []

    async def test_the_generation_changes_with_every_change_and_only_then(self, store: RouteStore) -> None:
        seen = [await store.generation()]
        await store.put(route(), routes_max=10)
        seen.append(await store.generation())
        await store.put(route(body="{}"), routes_max=10)
        seen.append(await store.generation())
        await store.remove("assistant")
        seen.append(await store.generation())
        await store.remove("assistant")
        await store.all()

        assert len(set(seen)) == 4
        assert await store.generation() == seen[-1]

    async def test_of_many_putting_the_same_name_one_is_new(self, store: RouteStore) -> None:
        new = await asyncio.gather(*(store.put(route(), routes_max=1) for _ in range(8)))

        assert new.count(True) == 1

    async def test_an_unreachable_store_says_so(self, unreachable_store: RouteStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.generation()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.all()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.put(route(), routes_max=10)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.remove("assistant")
