"""What a member of a pool in Redis leaves behind: perhaps nobody else will ever ask about its accounts."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest

from adapters.memory.ledger import InMemoryLedger
from adapters.memory.ledger_pools import InMemoryLedgerPools
from adapters.redis.connection import RedisConnection
from adapters.redis.ledger import RedisLedger
from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_pools import SqlLedgerPools
from application.ports.ledger import AccountFilter, HolderFenced, LeaseLine
from application.ports.ledger_pools import LedgerPools
from contracts.ports.ledger_world import NOW_US, SECOND_US, USD, Process, account
from domain.budgets.posting import HoldOutcome
from domain.errors import StoreUnavailable
from tests.contract.sql_world import AnySqlWorld
from tests.redis_world import RedisClusterWorld, RedisServer

ROOMY = account("acc_roomy", 1000 * USD)
OTHER = account("acc_other", 1000 * USD)
LATER_US = NOW_US + 6 * SECOND_US
_numbers = count(1)


def new_pool() -> str:
    return f"rest_pool_{next(_numbers)}"


class RestsContract:
    """`mortal` and `living` are two processes' ledgers on one database and one Redis."""

    @pytest.fixture
    async def redis(self, redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
        connection = RedisConnection([redis_server.url])
        yield connection
        await connection.aclose()

    @pytest.fixture
    def truth(self) -> InMemoryLedger | SqlLedger:
        return InMemoryLedger()

    @pytest.fixture
    def pools(self, truth: InMemoryLedger) -> LedgerPools:
        return InMemoryLedgerPools(truth)

    @pytest.fixture
    def mortal(self, truth: SqlLedger, pools: LedgerPools, redis: RedisConnection) -> RedisLedger:
        return RedisLedger(truth, pools, redis, new_pool)

    @pytest.fixture
    def living(self, truth: SqlLedger, pools: LedgerPools, redis: RedisConnection) -> RedisLedger:
        return RedisLedger(truth, pools, redis, new_pool)

    async def leased(self, truth: SqlLedger, about: str = ROOMY.account_id) -> int:
        rows = await truth.accounts(AccountFilter())
        return sum(row.state.leased_nano_usd for row in rows if row.account.account_id == about)

    async def test_the_rest_of_a_dead_member_goes_back_though_nobody_else_uses_the_account(
        self, truth: SqlLedger, mortal: RedisLedger, living: RedisLedger
    ) -> None:
        dead, other = await Process(mortal, "hold_dead").open(), await Process(living, "hold_other").open()
        await dead.get(ROOMY, USD, want=5 * USD)
        await other.get(OTHER, 2 * USD)
        await dead.bill("req_1", USD // 2, ROOMY)
        assert await self.leased(truth) > dead.of(ROOMY).outstanding, "the pool has something of it, too"

        await living.close(dead.holder, NOW_US)
        await living.close(dead.holder, NOW_US)

        assert await self.leased(truth) == 0
        assert await other.get(OTHER, 2 * USD), "others go on in the same pool"
        assert await other.get(ROOMY, 1000 * USD - USD // 2)
        assert not await other.get(ROOMY, 1)

    async def test_what_died_with_unresolved_charges_leaves_only_those(
        self, truth: SqlLedger, mortal: RedisLedger, living: RedisLedger
    ) -> None:
        dead, other = await Process(mortal, "hold_dead").open(), await Process(living, "hold_other").open()
        await dead.get(ROOMY, 6 * USD, want=5 * USD)
        await other.get(OTHER, USD)
        await dead.bill("req_1", 2 * USD, ROOMY, outcome=HoldOutcome.UNRESOLVED)

        await living.close(dead.holder, NOW_US)

        assert await self.leased(truth) == 0
        assert (await other.look(ROOMY, LATER_US)).state.committed_nano_usd == 2 * USD

    async def test_nothing_is_granted_twice_while_a_living_member_is_dealt_from_the_same_account(
        self, truth: SqlLedger, mortal: RedisLedger, living: RedisLedger
    ) -> None:
        other = await Process(living, "hold_other").open()
        for number in range(4):
            dead = await Process(mortal, f"hold_dead_{number}").open()
            await dead.get(ROOMY, 40 * USD, want=100 * USD)

            async def ask() -> None:
                for _ in range(5):
                    await other.get(ROOMY, 20 * USD, want=20 * USD)

            await asyncio.gather(ask(), living.close(dead.holder, NOW_US))
            assert other.of(ROOMY).outstanding <= await self.leased(truth) <= ROOMY.limit_nano_usd

        await other.look(ROOMY, LATER_US)
        await other.look(ROOMY, LATER_US + 3 * SECOND_US)
        assert await self.leased(truth) == other.of(ROOMY).outstanding
        await other.give_back(ROOMY, other.of(ROOMY).outstanding, LATER_US + 3 * SECOND_US)
        await other.look(ROOMY, LATER_US + 9 * SECOND_US)
        assert await self.leased(truth) == 0

    async def test_what_a_dead_member_was_granted_and_never_put_in_comes_free_with_a_new_pool(
        self, truth: SqlLedger, mortal: RedisLedger, living: RedisLedger
    ) -> None:
        dead, other = await Process(mortal, "hold_dead").open(), await Process(living, "hold_other").open()
        await dead.get(ROOMY, USD)
        await other.get(OTHER, USD)
        await truth.exchange(dead.payer, [LeaseLine(ROOMY, need=7 * USD)], NOW_US)

        await living.close(dead.holder, NOW_US)

        assert await self.leased(truth) == 7 * USD
        with pytest.raises(HolderFenced):
            await other.say(now_us=LATER_US)
        anew = await Process(living, "hold_anew").open()
        assert anew.payer != other.payer
        await living.close(other.holder, LATER_US)
        assert await self.leased(truth) == 0

    async def test_what_a_lost_member_leaves_beside_what_is_booked_goes_back(
        self, truth: SqlLedger, mortal: RedisLedger, living: RedisLedger
    ) -> None:
        dead, other = await Process(mortal, "hold_dead").open(), await Process(living, "hold_other").open()
        await dead.get(ROOMY, USD, want=5 * USD)
        await other.get(OTHER, USD)
        await other.say(now_us=LATER_US)

        for _ in range(2):
            await living.give_up_lost(LATER_US - 1, LATER_US - 1, LATER_US)

        assert await self.leased(truth) == 0
        (entry,) = await truth.unresolved(None)
        assert (entry.attempt_id, entry.held_nano_usd) == ("lost:hold_dead", dead.of(ROOMY).granted)
        assert await other.get(OTHER, USD)


class TestRestsBeforeMemory(RestsContract):
    async def test_an_end_that_the_ledger_did_not_hear_of_is_done_again(
        self, truth: InMemoryLedger, mortal: RedisLedger, living: RedisLedger
    ) -> None:
        dead, other = await Process(mortal, "hold_dead").open(), await Process(living, "hold_other").open()
        await dead.get(ROOMY, USD, want=5 * USD)
        await other.get(OTHER, USD)
        truth.reachable = False
        with pytest.raises(StoreUnavailable):
            await living.close(dead.holder, NOW_US)
        truth.reachable = True

        await living.close(dead.holder, NOW_US)

        assert truth.ledger.books[ROOMY.account_id].leased == 0

    async def test_what_the_pool_gave_back_while_the_ledger_was_away_is_told_later(
        self, truth: InMemoryLedger, living: RedisLedger
    ) -> None:
        one = await Process(living, "hold_one").open()
        await one.get(ROOMY, USD, want=5 * USD)
        await one.give_back(ROOMY, one.of(ROOMY).granted)
        truth.reachable = False
        for number in range(3):
            await one.say(now_us=LATER_US + number * 2 * SECOND_US)
        truth.reachable = True

        await one.say(now_us=LATER_US + 12 * SECOND_US)

        assert truth.ledger.books[ROOMY.account_id].leased == 0


class TestRestsInACluster(RestsContract):
    @pytest.fixture
    async def redis(self, redis_cluster: RedisClusterWorld) -> AsyncIterator[RedisConnection]:
        connection = RedisConnection(redis_cluster.urls, cluster=True)
        yield connection
        await connection.aclose()


class TestRestsBeforeSql(RestsContract):
    @pytest.fixture
    def truth(self, sql: AnySqlWorld) -> SqlLedger:
        return SqlLedger(sql.database)

    @pytest.fixture
    def pools(self, sql: AnySqlWorld, truth: SqlLedger) -> LedgerPools:
        return SqlLedgerPools(sql.database, truth)
