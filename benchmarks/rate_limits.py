"""Rate limits under load: real processes over one real Redis, which is restarted in the middle.

    python -m benchmarks.rate_limits --seconds 20
    python -m benchmarks.rate_limits --servers

Three instances with two workers each ask for more than their common limit lets through. Every admission is
logged with the machine's one monotonic clock; afterwards every window is checked, and how much of the limit
was used while Redis was there. Then what admitting costs a process that need not ask, per request. With
`--servers`, the same is asked of whole servers (`rate_limit_servers.py`).
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from adapters.memory.rate_limits import InMemoryRateLimits
from adapters.redis.connection import RedisConnection
from adapters.redis.rate_limits import PARTITIONS, RedisRateLimits
from adapters.system.clock import SystemClock
from application.job import Attribution, Job
from application.limit_book import LimitBook
from application.limit_exchange import LimitExchange
from benchmarks.rate_limit_servers import Offer
from benchmarks.rate_limit_servers import run as run_servers
from domain.errors import RateLimited, StoreUnavailable
from domain.limits.limit import LimitTerms, make_limit
from domain.llm.request import LlmRequest, Operation
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import Requirements
from domain.routing.target import Route
from domain.tenancy.principal import Principal
from domain.time import Deadline
from tests.redis_world import RedisServer, required_server

PROCESSES: Final = 6
TICK_S: Final = 0.002
ROUTE: Final = Route(name="assistant", targets=())
_WHO: Final = Principal(
    tenant_id="acme", key_id="k1", key_name="k1", role="agent", permissions=frozenset({"llm.call"})
)


def new_job(clock: SystemClock) -> Job:
    """A request as the pipeline has it when limits are asked."""
    request = LlmRequest(operation=Operation.CHAT, dialect="openai.chat", model="assistant", body=b"x" * 400)
    now = clock.monotonic()
    return Job(
        request_id="req_1", principal=_WHO, request=request, requirements=Requirements(), plan=NO_PLAN,
        attribution=Attribution(), started=now, started_at_us=0, deadline=Deadline(now + 10),
    )  # fmt: skip


def new_book(store: RedisRateLimits | InMemoryRateLimits, holder: str, *terms: LimitTerms) -> LimitBook:
    """One worker's."""
    clock = SystemClock()
    exchange = LimitExchange(store, clock, lambda: holder)
    book = LimitBook(exchange, exchange, clock)
    book.replace(
        make_limit(each, limit_id=f"lim_{number}", owner="acme") for number, each in enumerate(terms)
    )
    return book


async def work(url: str, offered: Offer, seconds: float, seed: int) -> tuple[int, list[int]]:
    """One worker: how often it asked, and when each request was let through, in nanoseconds."""
    redis = RedisConnection([url])
    terms = LimitTerms(
        name="all", scope={"tenant": "acme"}, per="minute", requests=offered.requests, burst=offered.burst
    )
    book = new_book(RedisRateLimits(redis), f"w{seed}", terms)
    clock, chance = SystemClock(), random.Random(seed)
    looking = asyncio.create_task(book.run())
    admitted: list[int] = []

    async def one() -> None:
        try:
            room = book.admit(new_job(clock), ROUTE)
            if room is not None:
                await room
        except (RateLimited, StoreUnavailable):
            return
        admitted.append(time.monotonic_ns())

    print("ready", flush=True)
    begin_at = float(sys.stdin.readline())
    await asyncio.sleep(max(0.0, begin_at - time.monotonic()))
    running: set[asyncio.Task[None]] = set()
    per_s, asked = offered.requests / 60 * offered.load / PROCESSES, 0
    while (now := time.monotonic()) < begin_at + seconds:
        # As much as there should have been by now, also on a machine that is busy with other things.
        for _ in range(round((now - begin_at) * per_s * chance.uniform(0.98, 1.0)) - asked):
            asked += 1
            task = asyncio.create_task(one())
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(TICK_S)
    await asyncio.gather(*running)
    looking.cancel()
    await redis.aclose()
    return asked, admitted


def most_above(admitted: list[int], offered: Offer) -> float:
    """How many requests the worst of all windows has above `burst + rate * w`; up to 0 the limit held."""
    rate = offered.requests / 60e9
    worst, lowest = float("-inf"), float("inf")
    for place, at_ns in enumerate(sorted(admitted)):
        lowest = min(lowest, place - rate * at_ns)
        worst = max(worst, place + 1 - rate * at_ns - lowest)
    return worst - offered.burst


def whole_for_long(url: str) -> None:
    """As if this Redis had run for long: otherwise its first burst counts as taken."""

    async def put() -> None:
        redis = RedisConnection([url])
        await RedisRateLimits(redis).begin()
        for partition in range(PARTITIONS):
            key = f"ic:{{rl{partition}}}:reign"
            await redis.call("SET", key, str(await redis.call("GET", key)).split()[0] + " 0")
        await redis.aclose()

    asyncio.run(put())


def run(offered: Offer, seconds: float, directory: Path, *, restart: bool) -> bool:
    """One storm; whether the limit held and was used."""
    server = RedisServer(required_server(), directory / f"redis-{offered.requests}-{restart}")
    command = (sys.executable, "-m", "benchmarks.rate_limits", "--worker")
    workers: list[subprocess.Popen[str]] = []
    try:
        whole_for_long(server.url)
        for seed in range(PROCESSES):
            said = json.dumps([server.url, offered, seconds, seed])
            workers.append(
                subprocess.Popen((*command, said), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
        for each in workers:
            assert each.stdout is not None and each.stdout.readline() == "ready\n"
        begin_at = time.monotonic() + 0.2
        for each in workers:
            assert each.stdin is not None
            each.stdin.write(f"{begin_at}\n")
            each.stdin.flush()
        away_s = 0.0
        if restart:
            time.sleep(max(0.0, begin_at + seconds / 2 - time.monotonic()))
            gone = time.monotonic()
            server.kill()
            time.sleep(0.5)
            server.start()
            away_s = time.monotonic() - gone
        told = [json.loads(each.communicate(timeout=60)[0]) for each in workers]
    finally:
        for each in workers:
            each.kill()
        server.kill()
    asked, admitted = sum(each[0] for each in told), [at for each in told for at in each[1]]
    above = most_above(admitted, offered)
    usable = min(asked, offered.burst + offered.requests / 60 * (seconds - away_s))
    share = len(admitted) / usable
    print(
        f"{offered.requests}/min, burst {offered.burst}, {seconds:g} s"
        f"{f', Redis away {away_s:.2f} s' if restart else ''}: let {len(admitted)} of {asked} through, "
        f"worst window {above:+.2f}, used {share:.1%}",
        flush=True,
    )
    return above <= 0 and share >= 0.95


def cost(requests: int) -> None:
    """Prints what three limits cost a request that need not ask, in microseconds."""
    clock = SystemClock()
    wide = {"per": "minute", "burst": None}
    book = new_book(
        InMemoryRateLimits(lambda: time.time_ns() // 1000),
        "bench",
        LimitTerms(name="tenant", scope={"tenant": "acme"}, requests=900_000_000, **wide),  # type: ignore[arg-type]
        LimitTerms(name="key", scope={"tenant": "acme", "key": "*"}, tokens=900_000_000, **wide),  # type: ignore[arg-type]
        LimitTerms(name="route", scope={"route": "*"}, requests=900_000_000, **wide),  # type: ignore[arg-type]
    )
    event = type("Event", (), {"cache": "miss", "input_tokens": 90, "output_tokens": 200})()

    async def measured() -> float:
        best = float("inf")
        for _ in range(7):
            jobs = [new_job(clock) for _ in range(requests)]
            for each in jobs[:20]:
                room = book.admit(each, ROUTE)
                if room is not None:
                    await room
            for slice_ in book._slices.values():  # noqa: SLF001 - as if just leased
                slice_.left, slice_.use_until = 10**9, clock.monotonic() + 60
            begun = time.perf_counter()
            for each in jobs:
                assert book.admit(each, ROUTE) is None
                book.ended(each, event)
            best = min(best, (time.perf_counter() - begun) / requests)
        return best

    print(f"three limits, nobody asked: {asyncio.run(measured()) * 1e6:.2f} us per request")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument(
        "--servers", action="store_true", help="three servers of two workers, and nothing else"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        url, offered, seconds, seed = json.loads(given.worker)
        print(json.dumps(asyncio.run(work(url, Offer(*offered), seconds, seed))))
        return
    if given.servers:
        held_by_servers = run_servers(Offer(6000, 600, 3.0), given.seconds, whole_for_long)
        raise SystemExit(0 if held_by_servers else 1)
    cost(20_000)
    storms = [(Offer(6000, 600, 2.0), False), (Offer(24_000, 2400, 1.5), False)]
    storms += [(Offer(6000, 600, 3.0), True), (Offer(600, 100, 5.0), True)]
    with tempfile.TemporaryDirectory() as directory:
        held = [run(offered, given.seconds, Path(directory), restart=restart) for offered, restart in storms]
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
