"""What Redis may do to the pool of leases: vanish, freeze, come back empty or with old data."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest

from adapters.memory.ledger import InMemoryLedger
from adapters.memory.ledger_pools import InMemoryLedgerPools
from adapters.redis.connection import RedisConnection
from adapters.redis.dealing import Dealer, News
from adapters.redis.ledger import RedisLedger
from application.ports.ledger import Exchange, HolderFenced, LeaseLine
from contracts.ports.ledger_world import NOW_US, SECOND_US, USD, Process, account
from domain.errors import InvalidRequest, StoreUnavailable
from tests.redis_world import RedisClusterWorld, RedisServer, required_server

SHARED = account("acc_shared", 10 * USD)
OTHER = account("acc_other", 10 * USD)
_numbers = count(1)


def new_pool() -> str:
    return f"fault_pool_{next(_numbers)}"


class ForgetfulLedger(InMemoryLedger):
    """Grants, and then its answer does not arrive."""

    silent = False

    async def exchange(self, holder: str, lines: Sequence[LeaseLine], now_us: int) -> Exchange:
        answer = await super().exchange(holder, lines, now_us)
        if self.silent:
            raise StoreUnavailable("the answer got lost")
        return answer


@pytest.fixture
def truth() -> ForgetfulLedger:
    return ForgetfulLedger()


@pytest.fixture
def pools(truth: InMemoryLedger) -> InMemoryLedgerPools:
    return InMemoryLedgerPools(truth)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One of its own, to be maltreated."""
    server = RedisServer(required_server(), tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[RedisConnection]:
    connection = RedisConnection([server.url])
    yield connection
    await connection.aclose()


@pytest.fixture
def ledger(truth: InMemoryLedger, pools: InMemoryLedgerPools, redis: RedisConnection) -> RedisLedger:
    return RedisLedger(truth, pools, redis, new_pool)


async def leased(truth: InMemoryLedger, about: str = SHARED.account_id) -> int:
    return truth.ledger.books[about].leased


async def test_an_empty_redis_fences_whoever_had_something_and_overspends_nothing(
    truth: InMemoryLedger, ledger: RedisLedger, server: RedisServer
) -> None:
    one, two = await Process(ledger, "hold_1").open(), await Process(ledger, "hold_2").open()
    await one.get(SHARED, 6 * USD)
    server.restart_empty()

    assert not await two.get(SHARED, 5 * USD), "what the first has is still leased"
    with pytest.raises(HolderFenced):
        await one.get(SHARED, 1)

    anew = await Process(ledger, "hold_3").open()
    assert anew.payer != one.payer
    assert not await anew.get(SHARED, 5 * USD)
    assert await anew.get(SHARED, 3 * USD)
    await one.bill("req_1", 2 * USD, SHARED)
    await ledger.close(one.holder, NOW_US)
    await ledger.close(two.holder, NOW_US)
    assert await leased(truth) == 3 * USD, "the last to leave the lost pool freed the rest of it"


async def test_a_member_that_waits_for_nothing_learns_of_the_loss_with_its_next_beat(
    ledger: RedisLedger, server: RedisServer
) -> None:
    one, two = await Process(ledger, "hold_1").open(), await Process(ledger, "hold_2").open()
    await one.get(SHARED, 2 * USD)
    await two.get(OTHER, 2 * USD)
    server.restart_empty()
    with pytest.raises(HolderFenced):
        await one.look(SHARED)

    with pytest.raises(HolderFenced):
        await two.say(now_us=NOW_US + 1)


async def test_nothing_is_dealt_from_the_data_of_a_replica_that_took_over(
    truth: InMemoryLedger,
    pools: InMemoryLedgerPools,
    ledger: RedisLedger,
    server: RedisServer,
    tmp_path: Path,
) -> None:
    replica = RedisServer(required_server(), tmp_path / "replica")
    other = RedisConnection([replica.url])
    try:
        # First, because a server begins a new reign when its first replica comes.
        replica.follow(server)
        one = await Process(ledger, "hold_1").open()
        await one.get(OTHER, USD)
        await one.get(OTHER, 8 * USD)
        await one.give_back(OTHER, 9 * USD)
        with server.client() as client:
            client.wait(1, 5000)
        with replica.client() as client:
            client.replicaof("no", "one")
        assert await one.get(OTHER, 9 * USD), "acknowledged, and unknown to the replica"

        theirs = await Process(RedisLedger(truth, pools, other, new_pool), "hold_2").open()
        assert theirs.payer == one.payer, "still the same pool"
        with pytest.raises(HolderFenced):
            await theirs.get(OTHER, 9 * USD)
    finally:
        await other.aclose()
        replica.kill()


async def test_a_key_that_was_evicted_is_not_taken_for_a_new_account(
    truth: InMemoryLedger, ledger: RedisLedger, server: RedisServer
) -> None:
    one, two = await Process(ledger, "hold_1").open(), await Process(ledger, "hold_2").open()
    await one.get(SHARED, 6 * USD)
    with server.client() as client:
        client.flushall()

    assert await two.get(SHARED, 4 * USD)
    assert not await two.get(SHARED, 1)
    with pytest.raises(HolderFenced):
        await one.look(SHARED)


async def test_a_frozen_redis_is_down_and_direct_leases_go_on_beside_the_pool(
    truth: InMemoryLedger, ledger: RedisLedger, redis: RedisConnection, server: RedisServer
) -> None:
    pooled = await Process(ledger, "hold_1").open()
    await pooled.get(SHARED, 6 * USD)
    server.freeze()

    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailable):
            await pooled.get(SHARED, USD)
        with pytest.raises(StoreUnavailable):
            await ledger.open("hold_2", NOW_US)
    assert not redis.health.up
    assert redis.health.last_error
    direct = await Process(truth, "hold_3").open()
    assert await direct.get(SHARED, 4 * USD)
    assert not await direct.get(SHARED, 1)

    server.thaw()
    async with asyncio.timeout(10):
        assert not await pooled.get(SHARED, 2 * USD)
        await direct.give_back(SHARED, 4 * USD)
        assert await pooled.get(SHARED, 2 * USD)
    assert redis.health.up


async def test_a_redis_that_is_away_when_a_process_ends_keeps_nothing_for_ever(
    truth: InMemoryLedger, ledger: RedisLedger, server: RedisServer
) -> None:
    one, two = await Process(ledger, "hold_1").open(), await Process(ledger, "hold_2").open()
    await one.get(SHARED, 3 * USD)
    await two.get(SHARED, 3 * USD)
    server.kill()

    await ledger.close(one.holder, NOW_US)
    assert await leased(truth) == 6 * USD
    await ledger.close(two.holder, NOW_US)

    assert await leased(truth) == 0
    server.start()
    assert await (await Process(ledger, "hold_3").open()).get(SHARED, 10 * USD)


async def test_while_the_database_is_away_the_pool_deals_out_what_it_has(
    truth: InMemoryLedger, ledger: RedisLedger
) -> None:
    roomy = account("acc_roomy", 1000 * USD)
    one, two = await Process(ledger, "hold_1").open(), await Process(ledger, "hold_2").open()
    await one.get(roomy, USD, want=5 * USD)
    truth.reachable = False

    assert await two.get(roomy, USD)
    await one.look(roomy, NOW_US + 6 * SECOND_US)
    with pytest.raises(StoreUnavailable):
        await two.get(roomy, 900 * USD)


async def test_what_was_granted_and_never_heard_of_comes_free_with_a_new_pool(
    truth: ForgetfulLedger, ledger: RedisLedger
) -> None:
    one = await Process(ledger, "hold_1").open()
    truth.silent = True
    with pytest.raises(StoreUnavailable):
        await one.get(SHARED, 6 * USD)
    truth.silent = False

    assert not await one.get(SHARED, 5 * USD), "the pool may have been granted it"
    with pytest.raises(HolderFenced):
        await one.say(now_us=NOW_US + 1)
    await ledger.close(one.holder, NOW_US)

    assert await leased(truth) == 0


async def test_what_the_ledger_granted_is_put_in_once_when_a_broken_connection_makes_the_call_run_twice(
    truth: InMemoryLedger, redis: RedisConnection
) -> None:
    dealer, ask = Dealer(redis, new_pool(), 0), LeaseLine(SHARED, need=USD)
    await truth.open(dealer.pool, NOW_US)
    (asked,) = await dealer.deal("hold_1", [(ask, 0)], [None], NOW_US)
    exchange = await truth.exchange(dealer.pool, [ask._replace(want=4 * USD)], NOW_US)
    granted = exchange.answers[0].granted_now
    news = News(exchange.answers[0], asked.number)

    for _ in range(2):
        (dealt,) = await dealer.deal("hold_1", [(ask, 0)], [news], NOW_US)

    assert dealt.granted_total + dealt.free == granted
    assert (await dealer.give_back([SHARED.account_id], NOW_US))[SHARED.account_id].granted == granted


async def test_what_nobody_uses_goes_back_to_the_database(truth: InMemoryLedger, ledger: RedisLedger) -> None:
    roomy = account("acc_roomy", 1000 * USD)
    one = await Process(ledger, "hold_1").open()
    await one.get(roomy, USD, want=5 * USD)
    assert await leased(truth, "acc_roomy") > one.of(roomy).granted
    one.of(roomy).returned = one.of(roomy).granted
    await one.look(roomy)

    await one.say(now_us=NOW_US + 3 * SECOND_US)

    assert await leased(truth, "acc_roomy") == 0


async def test_what_was_dealt_on_one_account_goes_back_when_another_refuses(ledger: RedisLedger) -> None:
    roomy = account("acc_roomy", 1000 * USD)
    one, two = await Process(ledger, "hold_1").open(), await Process(ledger, "hold_2").open()
    await one.get(roomy, USD, want=5 * USD)

    exchange = await two.say((roomy, 2 * USD, 0), (SHARED, 11 * USD, 0))

    assert exchange.refused == SHARED.account_id
    assert [answer.granted_total for answer in exchange.answers] == [0, 0]
    assert (await two.look(roomy)).granted_total == 0
    assert await two.get(roomy, USD)
    assert two.of(roomy).granted == USD


async def test_a_pool_gives_back_what_a_direct_holder_waits_for(
    truth: InMemoryLedger, ledger: RedisLedger
) -> None:
    roomy = account("acc_roomy", 1000 * USD)
    pooled, direct = await Process(ledger, "hold_1").open(), await Process(truth, "hold_2").open()
    await pooled.get(roomy, USD, want=5 * USD)
    await direct.get(roomy, 980 * USD)

    await pooled.look(roomy, NOW_US + SECOND_US)
    await pooled.look(roomy, NOW_US + SECOND_US + 1)

    assert await direct.get(roomy, 13 * USD, now_us=NOW_US + SECOND_US + 2)


async def test_a_failover_of_a_cluster_is_survived_without_restart(tmp_path: Path) -> None:
    world = RedisClusterWorld(required_server(), tmp_path)
    truth = InMemoryLedger()
    redis = RedisConnection(world.urls, cluster=True)
    ledger = RedisLedger(truth, InMemoryLedgerPools(truth), redis, new_pool)
    try:
        one = await Process(ledger, "hold_1").open()
        assert await one.get(SHARED, 6 * USD)
        world.master_of("{acc_shared}").kill()

        anew: Process | None = None
        async with asyncio.timeout(30):
            while anew is None:
                try:
                    await one.get(SHARED, 1)
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
                except HolderFenced:
                    anew = Process(ledger, "hold_2")
        async with asyncio.timeout(30):
            while not anew.payer:
                try:
                    await anew.open()
                except StoreUnavailable:
                    await asyncio.sleep(0.1)

        assert not await anew.get(SHARED, 4 * USD + 1)
        assert await anew.get(SHARED, 4 * USD)
        await ledger.close(one.holder, NOW_US)
        assert await anew.get(SHARED, 6 * USD)
    finally:
        await redis.aclose()
        world.kill()


@pytest.mark.parametrize("url", ["http://localhost", "", "unix:///run/redis.sock"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        RedisConnection([url])
