"""What every LedgerPools promises, beside the ledger its pools are holders of."""

import asyncio
from collections.abc import Callable

import pytest

from application.ports.ledger import AccountFilter, HolderFenced, LeaseLine, LedgerBooks, LedgerStore
from application.ports.ledger_pools import LedgerPools
from contracts.ports._base import PortContract
from contracts.ports.ledger_world import NOW_US, SECOND_US, USD, account
from domain.budgets.ledger import HolderState
from domain.budgets.pool import Membership
from domain.budgets.posting import HoldOutcome, Posting
from domain.errors import StoreUnavailable

DAILY = account("acc_pooled", 10 * USD)
DAY_US = 86_400 * SECOND_US


def charge(attempt: str, amount: int, holder: str = "hold_one", pool: str = "pool_one") -> Posting:
    outcome = HoldOutcome.SETTLED
    return Posting(attempt, outcome, amount, amount, amount, holder, pool, (DAILY.account_id,))


class LedgerPoolsContract(PortContract):
    """Bind `pools`, `ledger` and `books` on the same ledger, and `lose`, which takes it away."""

    @pytest.fixture
    def pools(self) -> LedgerPools:
        raise NotImplementedError

    @pytest.fixture
    def ledger(self) -> LedgerStore:
        raise NotImplementedError

    @pytest.fixture
    def books(self) -> LedgerBooks:
        raise NotImplementedError

    @pytest.fixture
    def lose(self) -> Callable[[], None]:
        raise NotImplementedError

    async def free(self, ledger: LedgerStore) -> int:
        await ledger.open("hold_looking", NOW_US)
        exchange = await ledger.exchange("hold_looking", [LeaseLine(DAILY)], NOW_US)
        return exchange.answers[0].state.free_nano_usd

    async def test_the_first_makes_the_pool_and_others_join_it(self, pools: LedgerPools) -> None:
        assert await pools.join("hold_one", "pool_one", NOW_US) == "pool_one"
        assert await pools.join("hold_two", "pool_two", NOW_US) == "pool_one"
        assert await pools.join("hold_one", "pool_three", NOW_US) == "pool_one"

        assert [each.holder for each in await pools.members("pool_one")] == ["hold_one", "hold_two"]
        assert await pools.pool_of("hold_two") == "pool_one"
        assert await pools.pool_of("hold_unknown") is None
        assert await pools.members("pool_unknown") == []

    async def test_a_pool_and_its_members_are_holders_of_the_ledger(
        self, pools: LedgerPools, ledger: LedgerStore
    ) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)

        exchange = await ledger.exchange("pool_one", [LeaseLine(DAILY, need=USD)], NOW_US)
        await ledger.exchange("hold_one", [], NOW_US)

        assert exchange.answers[0].granted_now == exchange.answers[0].granted_total == USD

    async def test_of_many_joining_at_once_all_are_in_pools_that_take_members(
        self, pools: LedgerPools
    ) -> None:
        names = [f"hold_{number}" for number in range(6)]

        joined = await asyncio.gather(*(pools.join(each, f"pool_{each}", NOW_US) for each in names))

        for name, pool in zip(names, joined, strict=True):
            assert await pools.pool_of(name) == pool
            assert await pools.beat(name, NOW_US) is Membership.OPEN

    async def test_a_beat_keeps_a_member_and_its_pool_from_being_given_up(
        self, pools: LedgerPools, ledger: LedgerStore
    ) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await pools.join("hold_two", "pool_one", NOW_US)
        later = NOW_US + 60 * SECOND_US

        assert await pools.beat("hold_one", later) is Membership.OPEN
        await ledger.give_up_lost(later - SECOND_US, 0, later)

        assert await pools.beat("hold_one", later) is Membership.OPEN
        assert await pools.beat("hold_two", later) is Membership.ENDED
        assert [(each.holder, each.state) for each in await pools.members("pool_one")] == [
            ("hold_one", HolderState.OPEN),
            ("hold_two", HolderState.FENCED),
        ]
        assert (await pools.members("pool_one"))[0].seen_us == later

    async def test_a_stranger_is_no_member(self, pools: LedgerPools) -> None:
        assert await pools.beat("hold_stranger", NOW_US) is Membership.ENDED

    async def test_a_retired_pool_takes_no_members_and_says_so(self, pools: LedgerPools) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)

        await pools.retire("pool_one")
        await pools.retire("pool_one")
        await pools.retire("pool_unknown")
        assert await pools.in_use() == []

        assert await pools.beat("hold_one", NOW_US) is Membership.RETIRED
        assert await pools.join("hold_one", "pool_two", NOW_US) == "pool_one"
        assert await pools.join("hold_two", "pool_two", NOW_US) == "pool_two"
        assert await pools.beat("hold_two", NOW_US) is Membership.OPEN
        assert await pools.in_use() == ["pool_two"]

    async def test_a_pool_that_was_given_up_is_not_joined(
        self, pools: LedgerPools, ledger: LedgerStore
    ) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await ledger.give_up_lost(NOW_US + 1, 0, NOW_US + 1)

        assert await pools.join("hold_two", "pool_two", NOW_US + 2) == "pool_two"

    async def test_who_leaves_leaves_the_pools_lease_to_the_others(
        self, pools: LedgerPools, ledger: LedgerStore
    ) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await pools.join("hold_two", "pool_one", NOW_US)
        await ledger.exchange("pool_one", [LeaseLine(DAILY, need=6 * USD)], NOW_US)

        await pools.leave("hold_one", NOW_US)

        assert await self.free(ledger) == 4 * USD
        assert await pools.beat("hold_one", NOW_US) is Membership.ENDED
        assert await pools.beat("hold_two", NOW_US) is Membership.OPEN
        assert [each.holder for each in await pools.members("pool_one")] == ["hold_two"]
        assert await pools.join("hold_one", "pool_two", NOW_US) == "pool_one"
        assert await pools.beat("hold_one", NOW_US) is Membership.ENDED

    async def test_the_last_to_leave_closes_the_pool_and_frees_what_was_not_charged(
        self, pools: LedgerPools, ledger: LedgerStore
    ) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await ledger.exchange("pool_one", [LeaseLine(DAILY, need=6 * USD)], NOW_US)
        await ledger.post([charge("req.1", 2 * USD)], NOW_US)

        await pools.leave("hold_one", NOW_US)
        await pools.leave("hold_one", NOW_US)

        assert await self.free(ledger) == 8 * USD
        with pytest.raises(HolderFenced):
            await ledger.exchange("pool_one", [], NOW_US)
        assert await pools.join("hold_two", "pool_two", NOW_US) == "pool_two"

    async def test_leaving_what_one_never_joined_is_no_error(self, pools: LedgerPools) -> None:
        await pools.leave("hold_stranger", NOW_US)

    async def test_it_tells_what_a_member_was_charged(self, pools: LedgerPools, ledger: LedgerStore) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await ledger.exchange("pool_one", [LeaseLine(DAILY, need=6 * USD)], NOW_US)
        await ledger.post([charge("req.1", 2 * USD), charge("req.2", 1)], NOW_US)
        await ledger.post([charge("req.1", 2 * USD)], NOW_US)

        assert await pools.settled_by("hold_one") == {DAILY.account_id: 2 * USD + 1}
        assert await pools.settled_by("hold_unknown") == {}

    async def test_what_a_pool_gives_back_is_free_however_often_it_says_so(
        self, pools: LedgerPools, ledger: LedgerStore, books: LedgerBooks
    ) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await ledger.exchange("pool_one", [LeaseLine(DAILY, need=6 * USD)], NOW_US)
        await ledger.post([charge("req.1", USD)], NOW_US)

        for total in (3 * USD, 3 * USD, 2 * USD):
            found = await pools.give_back("pool_one", {DAILY.account_id: total}, NOW_US)
            assert found == {DAILY.account_id: 6 * USD}, "it still has something of what it was granted"

        assert await self.free(ledger) == 7 * USD
        assert await pools.give_back("pool_one", {DAILY.account_id: 5 * USD}, NOW_US) == {}
        assert await self.free(ledger) == 9 * USD
        exchange = await ledger.exchange("pool_one", [LeaseLine(DAILY, 5 * USD, need=9 * USD)], NOW_US)
        assert exchange.refused is None
        assert [row.account for row in await books.accounts(AccountFilter())] == [DAILY]

    async def test_a_pool_gives_back_no_more_than_it_has_and_nothing_of_what_it_never_had(
        self, pools: LedgerPools, ledger: LedgerStore, books: LedgerBooks
    ) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await ledger.exchange("pool_one", [LeaseLine(DAILY, need=6 * USD)], NOW_US)
        await ledger.exchange("hold_one", [LeaseLine(DAILY, need=USD)], NOW_US)

        returned = {DAILY.account_id: 50 * USD, "acc_unknown": USD}
        assert await pools.give_back("pool_one", returned, NOW_US) == {}
        assert await pools.give_back("pool_unknown", {DAILY.account_id: USD}, NOW_US) == {}
        assert await pools.give_back("pool_one", {}, NOW_US) == {}

        assert await self.free(ledger) == 9 * USD
        assert [row.account for row in await books.accounts(AccountFilter())] == [DAILY]

    async def test_what_a_lost_member_was_dealt_is_booked_once(
        self, pools: LedgerPools, ledger: LedgerStore, books: LedgerBooks
    ) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await pools.join("hold_two", "pool_one", NOW_US)
        await ledger.exchange("pool_one", [LeaseLine(DAILY, need=8 * USD)], NOW_US)
        await ledger.post([charge("req.1", USD)], NOW_US)

        dealt = {DAILY.account_id: 5 * USD}
        assert await pools.book("hold_one", dealt, NOW_US) == {DAILY.account_id: 4 * USD}
        assert await pools.book("hold_one", dealt, NOW_US) == {DAILY.account_id: 4 * USD}

        (entry,) = await books.unresolved(None)
        assert (entry.attempt_id, entry.held_nano_usd) == ("lost:hold_one", 4 * USD)
        assert await self.free(ledger) == 2 * USD

    async def test_a_booked_member_is_charged_from_what_was_booked(
        self, pools: LedgerPools, ledger: LedgerStore, books: LedgerBooks
    ) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await pools.join("hold_two", "pool_one", NOW_US)
        await ledger.exchange("pool_one", [LeaseLine(DAILY, need=8 * USD)], NOW_US)
        await pools.book("hold_one", {DAILY.account_id: 5 * USD}, NOW_US)

        await ledger.post([charge("req.1", 3 * USD)], NOW_US)
        await pools.leave("hold_one", NOW_US)

        assert await books.unresolved(None) == []
        # 3 spent, and 3 still with the pool for the other member.
        assert await self.free(ledger) == 4 * USD

    async def test_no_more_is_booked_than_the_pool_has(self, pools: LedgerPools, ledger: LedgerStore) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        await ledger.exchange("pool_one", [LeaseLine(DAILY, need=2 * USD)], NOW_US)

        assert await pools.book("hold_one", {DAILY.account_id: 5 * USD}, NOW_US) == {
            DAILY.account_id: 2 * USD
        }

    async def test_amounts_beyond_the_integers_of_a_double_are_exact(
        self, pools: LedgerPools, ledger: LedgerStore
    ) -> None:
        huge = account("acc_huge", 2**60 + 1)
        await pools.join("hold_one", "pool_one", NOW_US)
        await ledger.exchange("pool_one", [LeaseLine(huge, need=2**60 + 1)], NOW_US)

        assert await pools.book("hold_one", {huge.account_id: 2**60 + 1}, NOW_US) == {
            huge.account_id: 2**60 + 1
        }

    async def test_it_works_after_a_cancelled_call(self, pools: LedgerPools) -> None:
        call = asyncio.create_task(pools.join("hold_one", "pool_one", NOW_US))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

        assert await pools.join("hold_one", "pool_two", NOW_US) in {"pool_one", "pool_two"}

    async def test_an_unreachable_ledger_says_so(self, pools: LedgerPools, lose: Callable[[], None]) -> None:
        await pools.join("hold_one", "pool_one", NOW_US)
        lose()

        with pytest.raises(StoreUnavailable):
            await pools.join("hold_two", "pool_two", NOW_US)
        with pytest.raises(StoreUnavailable):
            await pools.beat("hold_one", NOW_US)
        with pytest.raises(StoreUnavailable):
            await pools.pool_of("hold_one")
        with pytest.raises(StoreUnavailable):
            await pools.members("pool_one")
        with pytest.raises(StoreUnavailable):
            await pools.retire("pool_one")
        with pytest.raises(StoreUnavailable):
            await pools.in_use()
        with pytest.raises(StoreUnavailable):
            await pools.leave("hold_one", NOW_US)
        with pytest.raises(StoreUnavailable):
            await pools.settled_by("hold_one")
        with pytest.raises(StoreUnavailable):
            await pools.book("hold_one", {DAILY.account_id: 1}, NOW_US)
        with pytest.raises(StoreUnavailable):
            await pools.give_back("pool_one", {DAILY.account_id: 1}, NOW_US)
