"""What runs beside requests: bounded in number, bytes, age and money, and never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from adapters.memory.scripted_llm import Script
from application.caching import beside, similar
from domain.caching.policy import CacheMode, CachePolicy
from domain.llm.usage import Usage
from domain.tenancy.role import local_operator
from tests.unit.application.upstreams import virtually
from tests.unit.caching.caching_world import EXACT, CachingBench
from tests.unit.caching.similar_world import SimilarBench

A = "alpha/m"
TOLD = Script(text="one two three", latency_s=0.5, usage=Usage(10, 3))
SLOW = replace(TOLD, latency_s=30.0)
STALE = replace(EXACT, ttl_s=10.0, stale_s=600.0)
AUDITED = CachePolicy(mode=CacheMode.THRESHOLD, similarity_threshold=0.8, audit_share=1.0)
ONE, OTHER = "what is the capital city of france", "what is the capital city of france then"


@asynccontextmanager
async def running(world: CachingBench) -> AsyncIterator[None]:
    task = asyncio.create_task(world.beside.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@virtually
async def test_bodies_that_wait_take_a_bounded_room() -> None:
    world = CachingBench({A: TOLD}, STALE)
    prompts = [f"{number}" + "x" * 10_000 for number in range(8)]
    for prompt in prompts:
        await world.ask(prompt)
    await asyncio.sleep(20)
    bound, beside.WAITING_BYTES_MAX = beside.WAITING_BYTES_MAX, 50_000  # type: ignore[misc]
    try:
        for prompt in prompts:
            assert (await world.ask(prompt)).text == TOLD.text
    finally:
        beside.WAITING_BYTES_MAX = bound  # type: ignore[misc]
    assert len(world.beside._waiting) == 4 and world.beside.counts["refresh: too many wait"] == 4
    async with running(world):
        await asyncio.sleep(10)
    assert world.beside._waiting_bytes == 0 and world.beside.counts["refresh: done"] == 4
    await world.settled()


@virtually
async def test_what_waited_for_too_long_is_left_out() -> None:
    world = CachingBench({A: [*[TOLD] * 6, SLOW]}, STALE)
    for number in range(6):
        await world.ask(f"{number}")
    await asyncio.sleep(20)
    async with running(world):
        for number in range(5):
            await world.ask(f"{number}")
        await asyncio.sleep(1)
        (wanted,) = world.beside._waiting
        world.beside._waiting[0] = wanted._replace(since_s=wanted.since_s - 61)
        await asyncio.sleep(59)
    assert world.beside.counts["refresh: waited too long"] == 1 and not world.beside._known
    await world.settled()


@virtually
async def test_audits_that_waited_while_others_used_up_their_allowance_are_left_out() -> None:
    world = SimilarBench({A: TOLD}, replace(AUDITED, shadow_usd_per_day=1e-9))
    await world.start()
    await world.ask(ONE)
    await world.tick()
    questions = [f"{ONE} {word}" for word in ("then", "now", "please", "again")]
    for question in questions:
        await world.ask(question)
    asked = len(world.bench.calls())
    waiting = len(world.beside._waiting)
    assert waiting >= 2
    world.beside._slots = asyncio.Semaphore(1)
    async with running(world):
        await asyncio.sleep(20)
    assert len(world.bench.calls()) == asked + 1
    assert world.beside.counts["audit: over its daily budget"] == waiting - 1
    await world.settled()


@virtually
async def test_a_stopped_caller_pays_for_no_refresh() -> None:
    world = CachingBench({A: TOLD}, STALE)
    who = replace(local_operator(), permissions=frozenset({"llm.call"}))
    await world.ask(principal=who)
    await asyncio.sleep(20)
    await world.ask(principal=who)
    (wanted,) = world.beside._waiting
    assert wanted.job.principal is who
    wanted.job.principal = replace(who, permissions=frozenset())
    async with running(world):
        await asyncio.sleep(5)
    assert len(world.bench.calls()) == 1 and world.beside.counts["refresh: forbidden"] == 1
    await world.settled()


@virtually
async def test_what_waits_to_be_learned_from_takes_a_bounded_room() -> None:
    world = SimilarBench({A: TOLD}, replace(AUDITED, audit_share=0.0))
    await world.start()
    bound, similar.WAITING_BYTES_MAX = similar.WAITING_BYTES_MAX, 10_000  # type: ignore[misc]
    try:
        for number in range(20):
            await world.ask(f"question number {number} about something")
    finally:
        similar.WAITING_BYTES_MAX = bound  # type: ignore[misc]
    assert 0 < len(world.similar._waiting) < 20
    assert world.nearest.counts["left out: too many wait"] == 20 - len(world.similar._waiting)
    await world.tick()
    assert world.similar._waiting_bytes == 0
    await world.settled()


@pytest.mark.parametrize("stream", [False, True])
def test_who_shares_a_similar_questions_answer_is_told_how_similar_it_was(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = SimilarBench({A: TOLD}, replace(AUDITED, audit_share=0.0))
        await world.start()
        await world.ask(ONE, stream=stream)
        await world.tick()
        finding: Any = world.embedder

        async def slowly() -> None:
            await asyncio.sleep(0.1)

        finding.waits = slowly
        await asyncio.gather(*(world.ask(OTHER, stream=stream) for _ in range(3)))
        told = world.events[1:]
        assert [event.cache for event in told] == ["hit-semantic"] * 3 and len(world.bench.calls()) == 1
        assert len({event.cache_similarity for event in told}) == 1 and told[0].cache_similarity
        (standing,) = world.book._standings.values()
        assert standing.rates.hits == 3
        await world.settled()

    run()
