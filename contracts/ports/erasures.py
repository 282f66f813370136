"""What every ErasureLog promises."""

import asyncio
from dataclasses import replace

import pytest

from application.ports.subjects import ErasureLog
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable
from domain.privacy.erasure import Erasure, ErasureState

NOW_US = 1_900_000_000_000_000


def erasure(number: int = 1, *, tenant_id: str = "acme", user_id: str = "alice/ü") -> Erasure:
    return Erasure(
        erasure_id=f"erasure_{number}",
        tenant_id=tenant_id,
        user_id=user_id,
        pseudonym=f"erased_{number}",
        state=ErasureState.RUNNING,
        asked_by="Key000000001",
        started_at_us=NOW_US + number,
        updated_at_us=NOW_US + number,
    )


class ErasureLogContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> ErasureLog:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> ErasureLog:
        raise NotImplementedError

    async def test_what_was_begun_is_found_by_its_tenant_only(self, store: ErasureLog) -> None:
        begun = await store.begin(erasure())
        assert await store.get("acme", "erasure_1") == begun == erasure()
        assert await store.get("other", "erasure_1") is None
        assert await store.newest("other", 10) == []

    async def test_a_user_is_forgotten_once_at_a_time(self, store: ErasureLog) -> None:
        await store.begin(erasure(1))
        assert (await store.begin(erasure(2))).erasure_id == "erasure_1"
        assert (await store.begin(erasure(3, tenant_id="other"))).erasure_id == "erasure_3"
        await store.save(replace(erasure(1), user_id="", state=ErasureState.DONE), until_us=0)
        assert (await store.begin(erasure(4))).erasure_id == "erasure_4"
        assert [each.erasure_id for each in await store.newest("acme", 10)] == ["erasure_4", "erasure_1"]

    async def test_one_of_many_gets_a_claim_and_another_once_it_ran_out(self, store: ErasureLog) -> None:
        await store.begin(erasure())
        claims = await asyncio.gather(*(store.claim(NOW_US, NOW_US + 100) for _ in range(5)))
        assert [each for each in claims if each is not None] == [erasure()]
        assert await store.claim(NOW_US + 99, NOW_US + 200) is None
        assert await store.claim(NOW_US + 100, NOW_US + 200) == erasure()

    async def test_what_is_saved_is_where_the_next_goes_on(self, store: ErasureLog) -> None:
        await store.begin(erasure())
        on_its_way = replace(erasure(), step=3, counts={"request": 7})
        await store.save(on_its_way, until_us=NOW_US)
        assert await store.claim(NOW_US, NOW_US + 1) == on_its_way
        assert await store.unfinished() == ["erasure_1"]
        done = replace(on_its_way, state=ErasureState.DONE, user_id="", finished_at_us=NOW_US)
        await store.save(done, until_us=0)
        assert await store.claim(NOW_US, NOW_US + 1) is None
        assert await store.unfinished() == []
        assert await store.get("acme", "erasure_1") == done

    async def test_an_unreachable_store_says_so(self, unreachable_store: ErasureLog) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.begin(erasure())
        with pytest.raises(StoreUnavailable):
            await unreachable_store.unfinished()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.claim(NOW_US, NOW_US + 1)
