"""Identical requests that run at once, and what happens to the others when one of them leaves or fails."""

import asyncio
from typing import Any

import pytest

from adapters.memory.scripted_llm import Break, Script
from domain.caching.policy import CacheMode, CachePolicy, CacheScope, CacheWish
from domain.errors import StreamCut, UpstreamError
from domain.llm.failures import FailureKind
from domain.llm.usage import Usage
from tests.unit.application.upstreams import refused, virtually
from tests.unit.caching.caching_world import CachingBench, Heard

A, B = "alpha/m", "beta/m"
SLOW = Script(text="one two three four", latency_s=2.0, token_s=1.0, usage=Usage(10, 4))
WAYS = pytest.mark.parametrize("stream", [False, True])


@WAYS
def test_requests_at_once_share_one_call_and_one_bill(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: SLOW})
        heard = await asyncio.gather(*(world.ask(stream=stream) for _ in range(5)))
        assert {each.text for each in heard} == {SLOW.text} and len(world.bench.calls()) == 1
        await world.settled()
        caches = sorted(event.cache for event in world.events)
        assert caches == ["hit-coalesced"] * 4 + ["miss"]
        paid = [event.cost_nano_usd or 0 for event in world.events]
        bill = max(paid)
        assert bill > 0 and sorted(paid) == [0, 0, 0, 0, bill]
        assert sorted(event.saved_nano_usd or 0 for event in world.events) == [0, bill, bill, bill, bill]

    run()


@WAYS
def test_a_leader_who_leaves_takes_nothing_from_the_others(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: SLOW})
        first = asyncio.create_task(world.ask(stream=stream))
        await asyncio.sleep(0.5)
        second = asyncio.create_task(world.ask(stream=stream))
        await asyncio.sleep(2.7)
        first.cancel()
        assert (await second).text == SLOW.text
        assert len(world.bench.calls()) == 1
        await world.settled()
        by_cache = {event.cache: event for event in world.events}
        left, served = by_cache["miss"], by_cache["hit-coalesced"]
        assert (left.outcome, left.status) == ("cancelled", 499) and left.cost_nano_usd
        assert (served.outcome, served.cost_nano_usd) == ("ok", 0)

    run()


@WAYS
def test_the_call_ends_when_its_last_caller_left_and_is_recorded(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: SLOW})
        callers = [asyncio.create_task(world.ask(stream=stream)) for _ in range(3)]
        await asyncio.sleep(2.5)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await world.settled()
        assert [call.outcome for call in world.bench.calls()] == ["left"]
        assert len(world.events) == 3 and {event.outcome for event in world.events} == {"cancelled"}
        assert sum(len(event.attempts) for event in world.events) == 1
        assert (await world.ask(stream=stream)).text == SLOW.text  # nothing of it was kept
        assert len(world.bench.calls()) == 2

    run()


@WAYS
def test_a_caller_who_leaves_in_the_moment_it_asked_leaves_nothing_behind(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: SLOW})
        caller = asyncio.create_task(world.ask(stream=stream))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        await world.settled()
        assert len(world.events) == 1 and world.events[0].outcome == "cancelled"

    run()


@virtually
async def test_a_late_reader_hears_a_running_stream_from_its_beginning() -> None:
    world = CachingBench({A: SLOW})
    first, second = Heard(), Heard()
    one = asyncio.create_task(world.ask(heard=first, stream=True))
    await asyncio.sleep(4.5)
    two = asyncio.create_task(world.ask(heard=second, stream=True))
    await asyncio.sleep(0.1)
    assert second.text == first.text and 0 < len(first.text) < len(SLOW.text)
    await asyncio.gather(one, two)
    assert second.text == SLOW.text
    await world.settled()


@WAYS
def test_a_failure_of_the_provider_is_everybodys_and_is_asked_for_once(stream: bool) -> None:
    @virtually
    async def run() -> None:
        script = refused(FailureKind.CALLER_FAULT)
        world = CachingBench({A: Script(latency_s=1.0, failure=script.failure)})
        heard = await asyncio.gather(*(world.ask(stream=stream) for _ in range(3)))
        assert all(isinstance(each.error, UpstreamError) for each in heard)
        assert len(world.bench.calls()) == 1
        await world.settled()
        assert sum(len(event.attempts) for event in world.events) == 1

    run()


@virtually
async def test_a_cut_stream_is_cut_for_all_and_never_kept() -> None:
    world = CachingBench({A: Script(text="one two three", latency_s=1, broken=Break.CUT, broken_after=2)})
    heard = await asyncio.gather(*(world.ask(stream=True) for _ in range(3)))
    assert all(isinstance(each.error, StreamCut) for each in heard)
    await world.settled()
    assert not world.tiers.entries


@WAYS
def test_what_keeps_only_the_leader_from_an_answer_does_not_keep_the_others(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: SLOW})
        begun = world.bench.loop._run
        refusals = iter([True])

        async def run_once(job: Any, live: Any, call: Any) -> Any:
            if next(refusals, False):
                await asyncio.sleep(1)
                from domain.errors import StoreUnavailable

                raise StoreUnavailable("the ledger of this caller only")
            return await begun(job, live, call)

        world.bench.loop._run = run_once  # type: ignore[method-assign]
        heard = await asyncio.gather(*(world.ask(stream=stream) for _ in range(3)))
        texts = sorted(each.text for each in heard)
        assert texts == ["", SLOW.text, SLOW.text] and len(world.bench.calls()) == 1
        await world.settled()

    run()


@virtually
async def test_nothing_is_shared_by_those_who_wish_otherwise() -> None:
    world = CachingBench({A: SLOW})
    await asyncio.gather(world.ask(), world.ask(wish=CacheWish(no_cache=True)))
    await asyncio.gather(world.ask("b"), world.ask("b", wish=CacheWish(no_store=True)))
    apart = CachingBench({A: SLOW}, CachePolicy(mode=CacheMode.EXACT, coalesce=False))
    await asyncio.gather(apart.ask(), apart.ask())
    observed = CachingBench({A: SLOW}, CachePolicy(mode=CacheMode.OBSERVE))
    await asyncio.gather(observed.ask(), observed.ask())
    assert [len(each.bench.calls()) for each in (world, apart, observed)] == [4, 2, 2]
    await world.settled()


@virtually
async def test_users_share_only_where_the_route_says_so() -> None:
    world = CachingBench({A: SLOW}, CachePolicy(mode=CacheMode.EXACT, scope=CacheScope.USER))
    await asyncio.gather(*(world.ask(who={"user_id": name}) for name in ("ann", "ann", "bob")))
    await world.ask(who={"user_id": "bob"})
    await world.ask()  # nobody knows whom its answer would be for
    await world.ask()
    assert len(world.bench.calls()) == 4
    await world.settled()


@virtually
async def test_a_slow_reader_holds_back_neither_the_others_nor_memory() -> None:
    words = " ".join(f"w{number}" for number in range(1200))
    world = CachingBench(
        {A: Script(text=words, latency_s=1)}, CachePolicy(mode=CacheMode.EXACT, entry_bytes_max=20_000)
    )
    job, live = world.begin(stream=True)
    slow, _ = world.begin(stream=True)
    opened = asyncio.create_task(world.pipeline.open(job, live))
    joined = asyncio.create_task(world.pipeline.open(slow, live))
    fast_stream, slow_stream = await opened, await joined
    first = await slow_stream.next_block()
    while await fast_stream.next_block() is not None:
        pass
    fast_stream.close()
    world.pipeline.end(job, status=200, outcome="ok")
    rest = 0
    while await slow_stream.next_block() is not None:
        rest += 1
    slow_stream.close()
    world.pipeline.end(slow, status=200, outcome="ok")
    assert first is not None and rest > 100
    await world.settled()
    assert not world.tiers.entries and world.cache.outcomes["not kept: too_large"] == 1


@virtually
async def test_shutting_down_ends_every_shared_call_and_records_it() -> None:
    world = CachingBench({A: SLOW})
    callers = [asyncio.create_task(world.ask(stream=stream)) for stream in (True, False, True)]
    await asyncio.sleep(2.5)
    await world.cache.aclose()
    await asyncio.gather(*callers)
    await world.settled()
    assert len(world.events) == 3
