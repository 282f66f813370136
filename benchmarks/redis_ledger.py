"""What a lease costs: one exchange about one account on a single Redis, and about three on a Cluster.

    python -m benchmarks.redis_ledger --exchanges 5000

Redis servers of its own on loopback, the ledger behind them in memory: what is measured is the pool.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from itertools import count
from pathlib import Path

from adapters.memory.ledger import InMemoryLedger
from adapters.memory.ledger_pools import InMemoryLedgerPools
from adapters.redis.connection import RedisConnection
from adapters.redis.ledger import RedisLedger
from application.ports.ledger import LeaseLine
from contracts.ports.ledger_world import NOW_US, account
from tests.redis_world import RedisClusterWorld, RedisServer, required_server

NEED = 1_000_000
LIMIT = 10**17
_names = count(1)


async def measure(redis: RedisConnection, accounts: int, exchanges: int) -> list[float]:
    """Seconds of each exchange that needs a little of every account, one after the other."""
    truth = InMemoryLedger()
    ledger = RedisLedger(truth, InMemoryLedgerPools(truth), redis, lambda: f"bench_{next(_names)}")
    abouts = [account(f"acc_bench_{number}", LIMIT) for number in range(accounts)]
    await ledger.open("hold_bench", NOW_US)
    # A pool that holds enough for all of them, so that the ledger behind it is not part of the figure.
    ahead = [LeaseLine(each, need=NEED, want=NEED * exchanges * 2) for each in abouts]
    await ledger.exchange("hold_bench", ahead, NOW_US)
    await ledger.exchange("hold_bench", [each._replace(returned_total=10**18) for each in ahead], NOW_US)
    visits = ledger.visits
    took = []
    for _ in range(exchanges):
        begun = time.perf_counter()
        answer = await ledger.exchange("hold_bench", [LeaseLine(each, need=NEED) for each in abouts], NOW_US)
        took.append(time.perf_counter() - begun)
        if answer.refused is not None:
            raise SystemExit(f"refused: {answer.refused}")
    print(f"  ledger asked {ledger.visits - visits} times in {exchanges} exchanges")
    await ledger.close("hold_bench", NOW_US)
    return took


def told(name: str, took: list[float]) -> None:
    """Prints the percentiles in milliseconds."""
    cuts = statistics.quantiles(took, n=100)
    p50, p95, p99 = (1000 * cuts[each] for each in (49, 94, 98))
    print(f"{name}: p50 {p50:.3f} ms, p95 {p95:.3f} ms, p99 {p99:.3f} ms")


async def run(exchanges: int, directory: Path) -> None:
    """Both measurements."""
    server = RedisServer(required_server(), directory / "single")
    try:
        redis = RedisConnection([server.url])
        told("one account, single server", await measure(redis, 1, exchanges))
        told("three accounts, single server", await measure(redis, 3, exchanges))
        await redis.aclose()
    finally:
        server.kill()
    world = RedisClusterWorld(required_server(), directory / "cluster")
    try:
        redis = RedisConnection(world.urls, cluster=True)
        told("one account, Cluster", await measure(redis, 1, exchanges))
        told("three accounts, Cluster", await measure(redis, 3, exchanges))
        await redis.aclose()
    finally:
        world.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=5000)
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(parser.parse_args().exchanges, Path(directory)))


if __name__ == "__main__":
    main()
