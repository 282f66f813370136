"""What every StoredAnswers promises."""

import asyncio

import pytest

from application.ports.stored_answers import OpenBill, StoredAnswer, StoredAnswers
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable

NOW_US = 1_800_000_000_000_000
HOUR_US = 3_600_000_000
BILL = OpenBill("req_1", "gpt", "assistant", user_id="ü", metadata='{"a":1}')


def answer(
    answer_id: str = "resp_1",
    tenant_id: str = "acme",
    *,
    created_at_us: int = NOW_US,
    expires_at_us: int = NOW_US + HOUR_US,
    content: bytes | None = None,
    open_bill: OpenBill | None = None,
    provider: str = "openai",
) -> StoredAnswer:
    return StoredAnswer(
        tenant_id,
        answer_id,
        "Key000000001",
        f"{provider}/gpt",
        provider,
        "first",
        True,
        created_at_us,
        expires_at_us,
        content,
        open_bill,
        route="support",
        user_id="somebody",
    )


class StoredAnswersContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> StoredAnswers:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> StoredAnswers:
        raise NotImplementedError

    async def test_what_was_put_is_what_is_found(self, store: StoredAnswers) -> None:
        kept = [answer(content=b"\x00{}", open_bill=BILL), answer("resp_2")]
        await store.put(kept)

        found = await store.get("acme", ["resp_1", "resp_2", "resp_3"], now_us=NOW_US)

        assert found == {"resp_1": kept[0], "resp_2": kept[1]}

    async def test_the_last_of_one_id_counts(self, store: StoredAnswers) -> None:
        await store.put([answer(open_bill=BILL), answer("resp_2")])
        await store.put([answer(content=b"whole", provider="other")])

        found = await store.get("acme", ["resp_1"], now_us=NOW_US)

        assert found == {"resp_1": answer(content=b"whole", provider="other")}

    async def test_putting_nothing_is_fine(self, store: StoredAnswers) -> None:
        await store.put([])

        assert await store.get("acme", [], now_us=NOW_US) == {}

    async def test_many_ids_are_found_at_once(self, store: StoredAnswers) -> None:
        await store.put([answer(f"item_{number}") for number in range(1200)])

        found = await store.get("acme", [f"item_{number}" for number in range(1200)], now_us=NOW_US)

        assert len(found) == 1200

    async def test_another_tenants_answer_is_not_there(self, store: StoredAnswers) -> None:
        await store.put([answer(), answer(tenant_id="other", provider="elsewhere")])

        assert await store.get("third", ["resp_1"], now_us=NOW_US) == {}
        assert not await store.delete("third", "resp_1")
        assert not await store.settle("third", "resp_1")
        assert (await store.get("acme", ["resp_1"], now_us=NOW_US))["resp_1"].provider == "openai"

    async def test_an_expired_answer_is_not_there(self, store: StoredAnswers) -> None:
        await store.put([answer(expires_at_us=NOW_US + 1)])

        assert await store.get("acme", ["resp_1"], now_us=NOW_US)
        assert not await store.get("acme", ["resp_1"], now_us=NOW_US + 1)

    async def test_a_deleted_answer_is_gone_once(self, store: StoredAnswers) -> None:
        await store.put([answer()])

        assert await store.delete("acme", "resp_1") is True
        assert await store.delete("acme", "resp_1") is False
        assert await store.get("acme", ["resp_1"], now_us=NOW_US) == {}

    async def test_of_many_settling_one_bill_one_is_told(self, store: StoredAnswers) -> None:
        await store.put([answer(open_bill=BILL)])

        outcomes = await asyncio.gather(*(store.settle("acme", "resp_1") for _ in range(8)))

        assert sorted(outcomes) == [False] * 7 + [True]
        assert (await store.get("acme", ["resp_1"], now_us=NOW_US))["resp_1"].open_bill is None

    async def test_open_bills_are_listed_oldest_first(self, store: StoredAnswers) -> None:
        await store.put(
            [
                answer("resp_3", created_at_us=NOW_US + 3, open_bill=BILL),
                answer("resp_1", created_at_us=NOW_US + 1, open_bill=BILL, expires_at_us=NOW_US),
                answer("resp_2", "other", created_at_us=NOW_US + 2, open_bill=BILL),
                answer("resp_0", created_at_us=NOW_US),
            ]
        )

        listed = await store.unsettled(before_us=NOW_US + 3, limit=10)

        assert [one.id for one in listed] == ["resp_1", "resp_2"]
        assert [one.id for one in await store.unsettled(before_us=NOW_US + 9, limit=1)] == ["resp_1"]

    async def test_purging_drops_the_expired_but_no_open_bill(self, store: StoredAnswers) -> None:
        await store.put(
            [
                answer("resp_1", expires_at_us=NOW_US),
                answer("resp_2", expires_at_us=NOW_US, open_bill=BILL),
                answer("resp_3"),
            ]
        )

        assert await store.purge(now_us=NOW_US, per_tenant_max=100) == 1

        assert len(await store.unsettled(before_us=NOW_US + 1, limit=10)) == 1
        assert await store.get("acme", ["resp_1", "resp_3"], now_us=0) == {"resp_3": answer("resp_3")}

    async def test_purging_bounds_each_tenant(self, store: StoredAnswers) -> None:
        await store.put([answer(f"resp_{number}", created_at_us=NOW_US + number) for number in range(5)])
        await store.put([answer("resp_0", "other")])

        assert await store.purge(now_us=NOW_US, per_tenant_max=2) == 3

        left = await store.get("acme", [f"resp_{number}" for number in range(5)], now_us=NOW_US)
        assert sorted(left) == ["resp_3", "resp_4"]
        assert await store.get("other", ["resp_0"], now_us=NOW_US)

    async def test_it_works_after_a_cancelled_call(self, store: StoredAnswers) -> None:
        call = asyncio.create_task(store.put([answer("resp_9")]))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

        await store.put([answer()])

        assert await store.get("acme", ["resp_1"], now_us=NOW_US)

    async def test_an_unreachable_store_says_so(self, unreachable_store: StoredAnswers) -> None:
        for call in (
            unreachable_store.put([answer()]),
            unreachable_store.get("acme", ["resp_1"], now_us=NOW_US),
            unreachable_store.delete("acme", "resp_1"),
            unreachable_store.settle("acme", "resp_1"),
            unreachable_store.unsettled(before_us=NOW_US, limit=1),
            unreachable_store.purge(now_us=NOW_US, per_tenant_max=1),
        ):
            with pytest.raises(StoreUnavailable):
                await call
