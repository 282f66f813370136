"""How long kept answers take: `python -m benchmarks.cache_latency --data FOLDER --models DIR`.

The first tier as requests ask it, with a million names in it; the second in a Redis of its own; a similar
question from its text to its neighbours, embedding included, among a million vectors (those of
`benchmarks.vector_index`, where recall, memory and snapshots are measured); and exact hits through the whole
server, which shares the machine with its load generator. Asserts nothing; about five minutes and 4 GB.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import blake2b
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles

import numpy as np

from adapters.embeddings.opening import open_local
from adapters.memory.cache_log import InMemoryCacheLog
from adapters.memory.fast_answers import InMemoryFastAnswers
from adapters.redis.answers import RedisAnswerStore
from adapters.redis.connection import RedisConnection
from adapters.system.clock import SystemClock
from adapters.vectors.in_process import InProcessVectorIndex
from application.caching.hearing import Hearing
from application.caching.tiers import AnswerTiers
from application.caching.write_behind import WriteBehind
from application.ports.answer_store import AnswerStore
from benchmarks import cache_workload
from benchmarks.load import closed_loop
from benchmarks.processes import Running
from benchmarks.report import table
from benchmarks.servers import free_port
from benchmarks.shots import Shot
from benchmarks.vector_index import NOW_US, embedded, fill, parts_of, texts_of
from domain.caching.entry import CachedAnswer
from domain.caching.invalidation import RuleBook

BODY_BYTES = 1_500
QUERIES = 2_000
TOKENS_MAX = 32
HOUR_US = 3_600_000_000
_GROUP = 500


def row_of(what: str, took_s: Sequence[float], note: str = "") -> list[str]:
    """A line of the table; times in ms."""
    cuts = quantiles(took_s, n=100)
    return [what, *(f"{1e3 * cuts[place]:.3f}" for place in (49, 94, 98)), note]


def key_of(number: int) -> bytes:
    return blake2b(b"%d" % number, digest_size=32).digest()


def answer_of(number: int, tiers: AnswerTiers, body: bytes) -> CachedAnswer:
    now_us = int(time.time() * 1e6)
    return CachedAnswer(
        key=key_of(number), tenant_id=f"tenant{number % 3}", route="agents", namespace="", tags=("docs",),
        dialect="openai.chat", streamed=False, body=body, content_type="application/json",
        finish_reason="stop", target_id="acme/m", provider="acme", model="m", region="", simulated=False,
        input_tokens=100, output_tokens=300, cost_nano_usd=1_000_000, made_at_us=now_us,
        expires_at_us=now_us + HOUR_US, kept_until_us=now_us + HOUR_US, heard=tiers.heard,
    )  # fmt: skip


async def tiers_over(store: AnswerStore | None, l1_bytes: int) -> tuple[AnswerTiers, WriteBehind | None]:
    clock = SystemClock()
    hearing = Hearing(InMemoryCacheLog(), clock)
    writing = None if store is None else WriteBehind(store, clock)
    tiers = AnswerTiers(
        InMemoryFastAnswers(l1_bytes, clock), store, hearing, RuleBook(), writing, clock, l2_timeout_s=5.0
    )
    await hearing.catch_up()
    return tiers, writing


async def first_tier(count: int) -> list[str]:
    """All entries share one body, so that memory is left for the rest."""
    tiers, _ = await tiers_over(None, 1 << 40)
    body = os.urandom(BODY_BYTES)
    for number in range(count):
        tiers.keep(answer_of(number, tiers, body))
    gc.collect()
    gc.freeze()
    chance = np.random.default_rng(1)
    took_s = []
    for number in chance.integers(0, count, 50_000).tolist():
        key = key_of(number)
        begun = time.perf_counter()
        found = tiers.at_hand(key)
        took_s.append(time.perf_counter() - begun)
        assert found is not None
    gc.unfreeze()
    return row_of("exact, first tier", took_s, f"{count:,} entries")


async def second_tier(count: int) -> list[str]:
    """Reads of keys that the first tier does not have, one after the other."""
    with tempfile.TemporaryDirectory(prefix="cache-latency-") as folder:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        server = Running("redis", command, log=Path(folder, "redis.log"))
        redis = RedisConnection([f"redis://127.0.0.1:{port}/0"], binary=True, command_timeout_s=10.0)
        try:
            return await _second_tier(redis, count)
        finally:
            await redis.aclose()
            server.stop()


async def _second_tier(redis: RedisConnection, count: int) -> list[str]:
    async with asyncio.timeout(20):
        while not await _answers(redis):  # noqa: ASYNC110 - a server that starts tells nobody
            await asyncio.sleep(0.05)
    store = RedisAnswerStore(redis, SystemClock())
    tiers, _ = await tiers_over(store, 1 << 20)
    words = json.dumps({"choices": [{"message": {"content": "some words of an answer " * 60}}]}).encode()
    for first in range(0, count, _GROUP):
        await store.write([answer_of(number, tiers, words) for number in range(first, first + _GROUP)])
    took_s = []
    for number in np.random.default_rng(2).permutation(count)[:5_000].tolist():
        begun = time.perf_counter()
        found = await tiers.fetch(key_of(number))
        took_s.append(time.perf_counter() - begun)
        assert found is not None
    return row_of("exact, second tier (Redis)", took_s, f"{count:,} entries of {len(words):,} bytes")


async def _answers(redis: RedisConnection) -> bool:
    try:
        await redis.call("PING")
    except Exception:  # noqa: BLE001 - whatever it is, it is not up yet
        return False
    return True


async def similar(chosen: argparse.Namespace) -> list[list[str]]:
    """From a text the model has never seen to the nearest questions of its partition."""
    base, name = await embedded(chosen)
    parts = parts_of(chosen.vectors)
    index = InProcessVectorIndex(name, base.shape[1], vectors_max=chosen.vectors, bytes_max=1 << 40)
    begun = time.perf_counter()
    await fill(index, base, parts)
    await index.settled()
    built_s = time.perf_counter() - begun
    embedder = open_local(chosen.models)[0]
    short = [text for text in texts_of(Path(chosen.data)) if embedder.count_tokens(text) <= TOKENS_MAX - 2]
    rows = []
    for place, part in enumerate((parts[0], parts[1], max(parts[6:], key=lambda each: each.size))):
        took_s = []
        for number, text in enumerate(short[-QUERIES:]):
            asked = f"{text} {place}{number % 9}"  # new to the embedder
            begun = time.perf_counter()
            (vector,) = await embedder.embed([asked])
            await index.search(part.name, vector, limit=4, similarity_min=0.75, now_us=NOW_US)
            took_s.append(time.perf_counter() - begun)
        note = f"{part.size:,} of {chosen.vectors:,} in its partition"
        rows.append(row_of(f"similar, {name}", took_s, note))
    rows[0][-1] += f"; built in {built_s:.0f} s"
    await embedder.aclose()
    await index.aclose()
    return rows


def through_http(chosen: argparse.Namespace) -> list[str]:
    """One question again and again, as wrk asks it."""
    text = json.loads(chosen.clusters.read_text().splitlines()[0])["questions"][0]
    system = cache_workload.TENANTS["acme"]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    with ExitStack() as stack:
        url, key = cache_workload.start(stack, chosen)
        asyncio.run(cache_workload.until_up(url))
        host, _, port = url.removeprefix("http://").partition(":")
        shot = Shot(
            host=host,
            port=int(port),
            path="/v1/chat/completions",
            headers=(("authorization", f"Bearer {key}"), ("content-type", "application/json")),
            body=json.dumps({"model": "agents", "messages": messages}).encode(),
        )
        for _ in range(2):
            connection = HTTPConnection(host, int(port), timeout=20)
            connection.request("POST", shot.path, shot.body, dict(shot.headers))
            answer = connection.getresponse()
            answer.read()
        assert answer.headers["x-interchange-cache"] == "hit-l1", answer.headers
        closed_loop(shot, concurrency=32, seconds=3)
        found = closed_loop(shot, concurrency=32, seconds=10)
    note = f"{found.per_s:,.0f} hits/s, {found.failed} failed, 32 callers of wrk on the same machine"
    return ["exact, through HTTP", f"{found.p50_ms:.3f}", "", f"{found.p99_ms:.3f}", note]


async def inside(chosen: argparse.Namespace) -> list[list[str]]:
    rows = [await first_tier(chosen.entries), await second_tier(chosen.second)]
    return rows + (await similar(chosen) if chosen.vectors else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="a folder with texts, as JSON lines")
    parser.add_argument("--models", type=Path, required=True, help="where `models install` put MiniLM")
    parser.add_argument("--clusters", type=Path, required=True, help="as of benchmarks.cache_workload")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--second", type=int, default=200_000, help="entries in Redis")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="0: no similar questions")
    chosen = parser.parse_args()
    chosen.embedded = None
    chosen.precision, chosen.mode, chosen.error_rate, chosen.audit_share = "int8", "exact", 0.01, 0.0
    rows = [through_http(chosen), *asyncio.run(inside(chosen))]
    print(table(["look-up", "p50 ms", "p95 ms", "p99 ms", ""], rows))
    print(f"\nlargest of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB")
    print("command: python -m benchmarks.cache_latency " + " ".join(sys.argv[1:]))


if __name__ == "__main__":
    main()
