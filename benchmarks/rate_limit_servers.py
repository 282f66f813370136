"""One rate limit over whole servers: three `interchange serve` of two workers each, PostgreSQL and Redis.

`python -m benchmarks.rate_limits --servers` runs it. Callers with connections to every worker ask for more
than the limit lets through; Redis is killed and started empty in the middle. A request was let through some
time between its caller's sending it and its provider's getting it, both seen by this process's one clock; a
limit is passed when more requests lie wholly within some window than `burst + rate * w`.
"""

import asyncio
import contextlib
import json
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
from aiohttp import web

from benchmarks.revocation import SERVERS, WORKERS, Cluster
from tests.contract.postgres_server import PostgresServer
from tests.redis_world import RedisServer, required_server

CALLERS: Final = 16
"""Connections to each server: that all reach the same worker is a chance of one in thirty thousand."""
REQUEST_TIMEOUT_S: Final = 10.0
REDIS_AWAY_S: Final = 0.5
USED_MIN: Final = 0.95
CONFIG: Final = """
providers:
  near: {{kind: openai, base_url: "http://127.0.0.1:{port}/v1", api_key: k, via: direct, models: {{small: {{
    input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4}}}}}}
routes:
  assistant: {{targets: [near/small], retries: 0}}
rate_limits:
  - {{name: all, scope: {{tenant: default}}, requests: {requests}, per: minute, burst: {burst}}}
"""


class Offer(NamedTuple):
    """A limit per minute, and how many times as much is asked for."""

    requests: int
    burst: int
    load: float


class LetThrough(NamedTuple):
    """Within these two moments a request was counted."""

    asked_at: float
    arrived_at: float


class Provider:
    """Answers every chat at once, and notes when each came."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """The port it listens on."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.arrived.setdefault(asked["messages"][0]["content"], time.monotonic())
        said = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return web.json_response(
            {"id": "c", "object": "chat.completion", "created": 1, "model": "small", "choices": [said]}
            | {"usage": usage}
        )


class Storm:
    """Everybody who asks, and what became of it."""

    def __init__(self, cluster: Cluster, provider: Provider, offer: Offer, seconds: float) -> None:
        self._cluster = cluster
        self._provider = provider
        self._offer = offer
        self._seconds = seconds
        self._numbers = count(1)
        self.asked: dict[str, float] = {}
        self.statuses: dict[int, int] = {}

    async def rage(self) -> None:
        begin_at = time.monotonic() + 0.2
        callers = [(server, number) for number in range(CALLERS) for server in range(SERVERS)]
        every_s = len(callers) / (self._offer.requests / 60 * self._offer.load)
        await asyncio.gather(
            *(
                self._ask(self._cluster.urls[server], begin_at + place * every_s / len(callers), every_s)
                for place, (server, _) in enumerate(callers)
            )
        )

    async def _ask(self, url: str, first_at: float, every_s: float) -> None:
        headers = {"authorization": f"Bearer {self._cluster.key}"}
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
            due = first_at
            while due < first_at + self._seconds:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                # Late callers catch up at once: as much is asked as was said, on a busy machine too.
                due += every_s
                name = f"request {next(self._numbers)}"
                body = {"model": "assistant", "messages": [{"role": "user", "content": name}]}
                self.asked[name] = time.monotonic()
                status = 0
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
                        await answer.read()
                        status = answer.status
                self.statuses[status] = self.statuses.get(status, 0) + 1

    def let_through(self) -> Iterator[LetThrough]:
        for name, arrived_at in self._provider.arrived.items():
            yield LetThrough(self.asked[name], arrived_at)


def most_above(admitted: list[LetThrough], offer: Offer) -> float:
    """How many requests the worst of all windows has above `burst + rate * w`; up to 0 the limit held."""
    rate, worst = offer.requests / 60, float("-inf")
    ends: list[float] = []
    for each in sorted(admitted, reverse=True):
        place = bisect_right(ends, each.arrived_at)
        ends.insert(place, each.arrived_at)
        inside = (number + 1 - rate * (end - each.asked_at) for number, end in enumerate(ends))
        worst = max(worst, *inside)
    return worst - offer.burst


async def storm(
    cluster: Cluster, redis: RedisServer, provider: Provider, config: Path, offer: Offer, seconds: float
) -> bool:
    """One storm; whether the limit held and was used."""
    text = CONFIG.format(port=await provider.start(), requests=offer.requests, burst=offer.burst)
    await asyncio.to_thread(config.write_text, text)
    try:
        await cluster.start(config)
        raging = Storm(cluster, provider, offer, seconds)
        asking = asyncio.create_task(raging.rage())
        await asyncio.sleep(seconds / 2)
        gone = time.monotonic()
        await asyncio.to_thread(redis.kill)
        await asyncio.sleep(REDIS_AWAY_S)
        await asyncio.to_thread(redis.start)
        away_s = time.monotonic() - gone
        reached = [cluster.workers_reached(each) for each in range(SERVERS)]
        await asking
    finally:
        await provider.stop()
    admitted = list(raging.let_through())
    above = await asyncio.to_thread(most_above, admitted, offer)
    usable = min(len(raging.asked), offer.burst + offer.requests / 60 * (seconds - away_s))
    share = len(admitted) / usable
    print(
        f"{SERVERS} servers, workers reached {reached}: {offer.requests}/min, burst {offer.burst}, "
        f"{seconds:g} s, Redis away {away_s:.2f} s: let {len(admitted)} of {len(raging.asked)} through, "
        f"worst window {above:+.2f}, used {share:.1%}, statuses {json.dumps(raging.statuses)}",
        flush=True,
    )
    return above <= 0 and share >= USED_MIN and reached == [WORKERS] * SERVERS


def run(offer: Offer, seconds: float, prepare: Callable[[str], None]) -> bool:
    """Starts everything, runs one storm and ends what was started. `prepare` gets the address of Redis."""
    postgres = PostgresServer()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        redis = RedisServer(required_server(), folder / "redis")
        cluster = Cluster(folder, postgres.url(postgres.new_database()), redis.url)
        try:
            prepare(redis.url)
            return asyncio.run(storm(cluster, redis, Provider(), folder / "interchange.yaml", offer, seconds))
        finally:
            cluster.stop()
            redis.kill()
            postgres.remove()
