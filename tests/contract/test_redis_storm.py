"""Processes that hold, bill, give back, die and lose answers while Redis comes and goes; from seeds."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from adapters.memory.ledger import InMemoryLedger
from adapters.memory.ledger_pools import InMemoryLedgerPools
from adapters.redis.connection import RedisConnection
from adapters.redis.ledger import RedisLedger
from application.ports.ledger import HolderFenced
from contracts.ports.ledger_world import NOW_US, SECOND_US, Process, account
from domain.budgets.budget import Account
from domain.budgets.posting import HoldOutcome
from domain.errors import StoreUnavailable
from tests.redis_world import RedisClusterWorld, RedisServer, required_server

LIMIT = 100_000_000 * 1_000_000_000 + 7
"""A hundred million dollars and seven nano-dollars: beyond what a double counts exactly."""
ACCOUNTS = tuple(account(f"acc_storm_{number}", LIMIT - number) for number in range(3))
WORKERS = 6
STEPS = 40
_numbers = count(1)


class World:
    """What really happened, beside what ledger and pool believe."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.truth = InMemoryLedger()
        self.pools = InMemoryLedgerPools(self.truth)
        self.now_us = NOW_US
        self.billed = dict.fromkeys((each.account_id for each in ACCOUNTS), 0)
        self.living: list[Worker] = []
        self.dead: list[Process] = []

    def check(self) -> None:
        """What was billed and what everybody may still spend without asking is never above the limit."""
        for each in ACCOUNTS:
            at_hand = sum(worker.free(each) for worker in self.living)
            at_hand += sum(_free(process, each) for process in self.dead)
            assert self.billed[each.account_id] + at_hand <= each.limit_nano_usd
            assert self.truth.ledger.books.get(each.account_id) is None or (
                self.truth.ledger.books[each.account_id].state(each.account_id).committed_nano_usd
                + self.truth.ledger.books[each.account_id].leased
                <= each.limit_nano_usd
            )


def _free(process: Process, about: Account) -> int:
    held = process.leases.get(about.account_id)
    return 0 if held is None else held.granted - held.returned - held.posted


class Worker:
    """One process after the other at one ledger object; spends only what it holds."""

    def __init__(self, world: World, redis: RedisConnection) -> None:
        self.world = world
        self.ledger = RedisLedger(
            world.truth, world.pools, redis, lambda: f"storm_{next(_numbers)}", fresh_for_s=0.5
        )
        self.process: Process | None = None
        self.ending: list[Process] = []
        world.living.append(self)

    def free(self, about: Account) -> int:
        processes = [*self.ending, *([self.process] if self.process else [])]
        return sum(_free(process, about) for process in processes)

    async def run(self) -> None:
        for _ in range(STEPS):
            self.world.now_us += self.world.random.randrange(SECOND_US)
            try:
                async with asyncio.timeout(20):
                    await self.step()
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            except HolderFenced:
                if self.process is not None:
                    self.ending.append(self.process)
                    self.process = None
            self.world.check()

    async def step(self) -> None:
        chance, now_us = self.world.random, self.world.now_us
        if self.process is None:
            fresh = Process(self.ledger, f"hold_storm_{next(_numbers)}")
            self.process = await fresh.open(now_us)
        process = self.process
        about = chance.choice(ACCOUNTS)
        match chance.randrange(10):
            case 0 | 1 | 2:
                need = chance.randrange(1, LIMIT // 20)
                await process.get(about, need, want=chance.randrange(LIMIT // 10), now_us=now_us)
            case 3:
                lines = [(each, chance.randrange(1, LIMIT // 30), 0) for each in ACCOUNTS]
                await process.say(*lines, now_us=now_us)
            case 4 | 5:
                await self.bill(process, about)
            case 6:
                await process.give_back(about, chance.randrange(_free(process, about) + 1))
            case 7:
                call = asyncio.ensure_future(process.get(about, LIMIT // 50, now_us=now_us))
                await asyncio.sleep(chance.choice([0, 0.001]))
                call.cancel()
                await asyncio.wait([call])
            case 8:
                await process.look(about, now_us)
            case _:
                await self.end(process)

    async def bill(self, process: Process, about: Account) -> None:
        free = _free(process, about)
        if free > 0:
            amount = self.world.random.randrange(1, max(2, free))
            self.world.billed[about.account_id] += amount
            await process.bill(f"req_{next(_numbers)}", amount, about, outcome=HoldOutcome.SETTLED)

    async def end(self, process: Process) -> None:
        """In good order, or by dying: then another one posts and closes for it later."""
        self.process = None
        if self.world.random.random() < 0.5:
            self.world.dead.append(process)
        else:
            # It spends nothing from here on: what it had may be somebody else's before `close` returns.
            await self.ledger.close(process.holder, self.world.now_us)

    async def close_all(self) -> None:
        for process in [*self.ending, *([self.process] if self.process else [])]:
            await self.ledger.close(process.holder, self.world.now_us)
        self.ending, self.process = [], None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(required_server(), tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def connections(server: RedisServer) -> AsyncIterator[list[RedisConnection]]:
    opened = [RedisConnection([server.url]) for _ in range(WORKERS)]
    yield opened
    for connection in opened:
        await connection.aclose()


async def storm(world: World, workers: list[Worker]) -> None:
    await asyncio.gather(*(worker.run() for worker in workers))
    for process in world.dead:
        await workers[0].ledger.close(process.holder, world.now_us)
    world.dead.clear()
    for worker in workers:
        await worker.close_all()
    for each in ACCOUNTS:
        books = world.truth.ledger.books.get(each.account_id)
        if books is not None:
            assert books.leased == 0, "nothing is left over"
            assert books.spent == world.billed[each.account_id]


@pytest.mark.parametrize("seed", range(4))
async def test_a_storm_spends_no_more_than_there_is_and_leaves_nothing_over(
    connections: list[RedisConnection], seed: int
) -> None:
    world = World(seed)

    await storm(world, [Worker(world, connection) for connection in connections])


@pytest.mark.parametrize("seed", range(4))
async def test_so_does_a_storm_in_which_redis_comes_back_empty_again_and_again(
    connections: list[RedisConnection], server: RedisServer, seed: int
) -> None:
    world = World(seed)
    workers = [Worker(world, connection) for connection in connections]

    async def trouble() -> None:
        for number in range(3):
            await asyncio.sleep(0.15)
            if number % 2:
                with server.client() as client:
                    client.flushall()
            else:
                server.restart_empty()

    troubled = asyncio.create_task(trouble())
    await storm(world, workers)
    await troubled


async def test_so_does_a_storm_on_a_cluster(redis_cluster: RedisClusterWorld) -> None:
    world = World(11)
    redis = RedisConnection(redis_cluster.urls, cluster=True)
    try:
        await storm(world, [Worker(world, redis) for _ in range(WORKERS)])
    finally:
        await redis.aclose()
