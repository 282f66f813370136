"""Shared calls while their callers come, leave, fail and are limited at every moment."""

import asyncio
import gc
import random
import weakref
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.scripted_llm import Break, Script
from application.caching import tape
from application.job import Job
from domain.caching.entry import Position
from domain.catalog.prices import PriceTable, Rates
from domain.errors import InterchangeError, StoreUnavailable, StreamCut, UpstreamError
from domain.llm.failures import FailureKind
from domain.llm.usage import Usage
from domain.routing.requirements import Requirements
from tests.unit.application.upstreams import refused, virtually
from tests.unit.caching.caching_world import EXACT, CachingBench, Heard

A, B = "alpha/m", "beta/m"
SLOW = Script(text="one two three four", latency_s=2.0, token_s=1.0, usage=Usage(10, 4))
WAYS = pytest.mark.parametrize("stream", [False, True])


@WAYS
@pytest.mark.parametrize("after_s", [0.5, 2.5, 3.5])
def test_who_comes_in_the_moment_the_last_one_leaves_is_answered_whole(stream: bool, after_s: float) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: SLOW})
        first = asyncio.create_task(world.ask(stream=stream))
        await asyncio.sleep(after_s)
        first.cancel()
        heard = Heard()
        second = asyncio.create_task(world.ask(heard=heard, stream=stream))
        third = asyncio.create_task(world.ask(stream=stream))
        await asyncio.gather(first, second, third, return_exceptions=True)
        assert heard.error is None and heard.text == SLOW.text
        assert third.result().text == SLOW.text and len(world.bench.calls()) == 2
        await world.settled()
        assert len(world.events) == 3

    run()


@WAYS
def test_a_call_that_ends_before_its_first_step_keeps_nobody_waiting(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: SLOW})
        caller = asyncio.create_task(world.ask(stream=stream))
        await asyncio.sleep(0)
        (call,) = world.cache.shared.calls
        assert call.task is not None
        call.task.cancel()
        heard = await asyncio.wait_for(caller, 1)
        assert isinstance(heard.error, StoreUnavailable)
        await world.settled()
        assert len(world.events) == 1 and (await world.ask(stream=stream)).text == SLOW.text

    run()


@WAYS
def test_an_answer_that_one_callers_budget_cut_short_is_nobody_elses(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: [replace(SLOW, tokens_max=2), SLOW]})
        begun = world.bench.loop._run
        jobs: list[Job] = []

        async def run_cut(job: Job, live: Any, call: Any) -> Any:
            answer = await begun(job, live, call)
            jobs.append(job)
            job.cut_to_budget = len(jobs) == 1
            return answer

        world.bench.loop._run = run_cut  # type: ignore[method-assign]
        heard = await asyncio.gather(*(world.ask(stream=stream) for _ in range(3)))
        assert [each.text for each in heard[1:]] == [SLOW.text, SLOW.text] != [heard[0].text] * 2
        assert len(world.bench.calls()) == 2
        await world.settled()

    run()


@WAYS
def test_a_failure_is_shared_only_by_those_who_could_ask_nobody_else(stream: bool) -> None:
    @virtually
    async def run() -> None:
        prices = {B: PriceTable(base=Rates(input=9_000_000_000, output=9_000_000_000))}
        failing = replace(refused(FailureKind.SERVER_ERROR), latency_s=1.0)
        world = CachingBench({A: failing, B: SLOW}, prices=prices, retries=0)
        thrifty = Requirements(max_cost_nano_usd_per_mtok=3_000_000_000)
        first, second = await asyncio.gather(
            world.ask(stream=stream, demands=thrifty), world.ask(stream=stream)
        )
        assert isinstance(first.error, UpstreamError) and second.text == SLOW.text
        await world.settled()

    run()


@WAYS
def test_defects_of_the_cache_cost_nobody_an_answer(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: SLOW})

        def broken(*_: object, **__: object) -> Any:
            raise ValueError("a defect")

        async def broken_too(*_: object) -> Any:
            raise ValueError("a defect")

        world.tiers.keep = broken
        assert (await world.ask(stream=stream)).text == SLOW.text
        world.tiers.fetch = broken_too
        heard = await asyncio.gather(*(world.ask(stream=stream) for _ in range(2)))
        assert [each.text for each in heard] == [SLOW.text] * 2
        world.tiers.at_hand = broken
        assert (await world.ask(stream=stream)).text == SLOW.text
        world.reader.asked = broken  # type: ignore[method-assign]
        assert (await world.ask(stream=stream)).text == SLOW.text
        assert world.events[-1].cache == "bypass" and world.cache.outcomes["not kept: failed"]
        await world.settled()

    run()


@virtually
async def test_a_defect_before_the_first_step_takes_no_slot() -> None:
    world = CachingBench({A: SLOW})

    def broken(*_: object) -> Any:
        raise ValueError("a defect")

    world.pipeline._plan = broken  # type: ignore[method-assign, assignment]
    for _ in range(3):
        with pytest.raises(ValueError):
            world.begin()
    assert world.pipeline.in_flight == 0


@WAYS
@pytest.mark.parametrize("failing", [False, True])
def test_a_request_leaves_nothing_behind_that_only_a_collector_frees(stream: bool, failing: bool) -> None:
    @virtually
    async def run() -> None:
        script = Script(text="a b c", latency_s=1, broken=Break.CUT, broken_after=2) if failing else SLOW
        world = CachingBench({A: script}, fallbacks=0, retries=0)
        await world.ask(stream=stream)
        await world.settled()
        gc.collect()
        gc.disable()
        try:
            callers = [asyncio.create_task(world.ask(stream=stream, prompt="body")) for _ in range(3)]
            await asyncio.sleep(0.5)
            calls = [weakref.ref(call.task) for call in world.cache.shared.calls]
            for heard in await asyncio.gather(*callers):
                heard.error = None  # whose trace knows who heard it
            await world.settled()
            callers.clear()
            assert calls and not any(each() for each in calls)
        finally:
            gc.enable()

    run()


@virtually
async def test_a_reader_who_stands_still_holds_a_bounded_part_of_a_long_answer() -> None:
    words = " ".join(f"w{number:05}" for number in range(3000))
    bytes_max, tape.BEHIND_BYTES_MAX = tape.BEHIND_BYTES_MAX, 50_000  # type: ignore[misc]
    try:
        world = CachingBench({A: Script(text=words, latency_s=1)}, replace(EXACT, entry_bytes_max=20_000))
        stuck, live = world.begin(stream=True)
        opening = asyncio.create_task(world.pipeline.open(stuck, live))
        fast = asyncio.create_task(world.ask(stream=True))
        stuck_stream = await opening
        assert await stuck_stream.next_block() is not None
        assert (await fast).text == words
        with pytest.raises(StreamCut):
            while await stuck_stream.next_block() is not None:
                pass
        stuck_stream.close()
        world.pipeline.end(stuck, status=502, outcome="cut")
        await world.settled()
    finally:
        tape.BEHIND_BYTES_MAX = bytes_max  # type: ignore[misc]


@virtually
async def test_what_was_invalidated_while_providers_failed_does_not_stand_in() -> None:
    policy = replace(EXACT, ttl_s=10.0, stale_if_error_s=600.0)
    late = replace(refused(FailureKind.SERVER_ERROR), latency_s=3.0)
    world = CachingBench({A: [SLOW, late]}, policy, retries=0, fallbacks=0)
    await world.ask()
    await asyncio.sleep(20)
    asking = asyncio.create_task(world.ask())
    await asyncio.sleep(1)
    world.tiers.heard = Position("here", 9)
    assert isinstance((await asking).error, UpstreamError)
    await world.settled()


@virtually
async def test_who_gives_a_leading_request_up_gives_no_money_up_that_is_still_spent() -> None:
    world = CachingBench({A: SLOW})
    job, live = world.begin()
    leading = asyncio.create_task(world.pipeline.complete(job, live))
    await asyncio.sleep(0.5)
    following = asyncio.create_task(world.ask())
    await asyncio.sleep(0.5)
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    world.pipeline.abandon(job)
    assert not job.recorded and world.pipeline.in_flight == 2
    assert (await following).text == SLOW.text
    assert job.recorded and len(job.attempts) == 1 and len(world.events) == 1
    await world.settled()


@virtually
async def test_one_who_keeps_a_journal_of_its_own_shares_no_call_and_is_settled_when_it_ends() -> None:
    world = CachingBench({A: SLOW})
    job, live = world.begin()
    assert job.course is not None
    job.course.alone = True
    leading = asyncio.create_task(world.pipeline.complete(job, live))
    await asyncio.sleep(0.5)
    following = asyncio.create_task(world.ask())
    await asyncio.sleep(0.5)
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    assert [attempt.outcome for attempt in job.attempts] == ["cancelled"]
    world.pipeline.abandon(job)
    assert (await following).text == SLOW.text and len(world.bench.calls()) == 2
    await world.settled()


SCRIPTS = (
    SLOW,
    Script(text="a b c", latency_s=0.3),
    Script(text="a b c d", latency_s=0.5, token_s=0.7, broken=Break.CUT, broken_after=2),
    Script(text="a b", latency_s=0.2, finish_reason="length"),
    replace(refused(FailureKind.SERVER_ERROR), latency_s=0.4),
    replace(refused(FailureKind.CALLER_FAULT), latency_s=0.1),
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_whatever_callers_do_each_leaves_one_record_and_pays_at_most_once(seed: int) -> None:
    @virtually
    async def run() -> None:
        chance = random.Random(seed)
        policy = replace(EXACT, stale_s=chance.choice((0.0, 5.0)), ttl_s=chance.choice((1.0, 60.0)))
        scripts = [chance.choice(SCRIPTS) for _ in range(40)]
        world = CachingBench({A: scripts, B: scripts[::-1]}, policy, retries=chance.choice((0, 1)))
        beside = asyncio.create_task(world.beside.run())

        async def caller() -> None:
            await asyncio.sleep(chance.random() * 6)
            stream = chance.random() < 0.6
            asking = asyncio.create_task(world.ask(chance.choice("ab"), stream=stream))
            if chance.random() < 0.5:
                await asyncio.sleep(chance.random() * 4)
                asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

        await asyncio.gather(*(caller() for _ in range(12)))
        if chance.random() < 0.3:
            await world.cache.aclose()
        await asyncio.sleep(60)
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
        await world.settled()
        callers = [event for event in world.events if event.cache != "refresh"]
        ids = [event.request_id for event in world.events]
        assert len(set(ids)) == len(ids) and len(callers) <= 12
        rows = sum(len(event.attempts) for event in world.events)
        assert rows == len(world.bench.calls())
        for event in world.events:
            free = event.cache.startswith("hit") and event.cache != "hit-stale"
            assert not free or not event.attempts

    run()


def test_an_error_that_is_told_again_is_the_same_without_its_trace() -> None:
    try:
        raise StreamCut("cut", details={"kind": "network"})
    except InterchangeError as error:
        again = tape.again(error)
        assert type(again) is StreamCut and again.__traceback__ is None
        assert (again.message, again.details, str(again)) == (error.message, error.details, str(error))
