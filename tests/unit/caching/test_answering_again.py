"""What is answered from earlier answers, what never is, and what it tells."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.scripted_llm import Break, Script
from domain.caching.policy import CacheMode, CachePolicy, CacheWish
from domain.errors import NoProviderAvailable, UpstreamError
from domain.llm.capabilities import Capability
from domain.llm.failures import FailureKind
from domain.llm.stream import ContentKind
from domain.llm.usage import Usage
from domain.routing.requirements import Requirements
from domain.tenancy.role import local_operator
from tests.unit.application.upstreams import refused, virtually
from tests.unit.caching.caching_world import EXACT, CachingBench

A, B = "alpha/m", "beta/m"
TOLD = Script(text="one two three", latency_s=0.5, usage=Usage(10, 3))
WAYS = pytest.mark.parametrize("stream", [False, True])


@WAYS
def test_an_equal_request_is_answered_again_for_nothing(stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: TOLD})
        first = await world.ask(stream=stream)
        again = await world.ask(stream=stream)
        assert again.text == first.text == TOLD.text and len(world.bench.calls()) == 1
        await world.settled()
        paid, free = world.events
        assert (paid.cache, free.cache) == ("miss", "hit-l1")
        assert free.cost_nano_usd == 0 and free.saved_nano_usd == paid.cost_nano_usd != 0
        assert free.attempts == () and (free.provider, free.model) == ("alpha", "m")
        assert free.finish_reason == "stop" and free.upstream_us == 0

    run()


@virtually
async def test_a_stream_and_a_whole_answer_are_kept_apart() -> None:
    world = CachingBench({A: TOLD})
    await world.ask()
    await world.ask(stream=True)
    await world.ask(stream=True, stream_options={"include_usage": True})
    assert len(world.bench.calls()) == 3


@virtually
async def test_a_replayed_stream_tells_usage_and_that_it_cost_nothing() -> None:
    world = CachingBench({A: TOLD})
    asked: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    first = await world.ask(**asked)
    again = await world.ask(**asked)
    assert first.raw.count(b'"usage":{') == again.raw.count(b'"usage":{') == 1
    assert again.raw.count(b'"cost":') == 1 and b'"cost":0.0' in again.raw and b'"cost":0.0}' not in first.raw


@WAYS
@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Script(text="a b c d", finish_reason="length"), "truncated_or_filtered"),
        (Script(text="a b c d", finish_reason="content_filter"), "truncated_or_filtered"),
        (Script(text="a b c d", finish_reason="tool_calls"), "tool_calls"),
        (Script(text="x" * 5000), "too_large"),
    ],
)
def test_what_is_not_a_whole_natural_answer_is_never_kept(script: Script, why: str, stream: bool) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: script}, replace(EXACT, entry_bytes_max=2000))
        await world.ask(stream=stream)
        await world.ask(stream=stream)
        await world.settled()
        assert len(world.bench.calls()) == 2 and not world.tiers.entries
        assert world.cache.outcomes[f"not kept: {why}"] == 2

    run()


@virtually
async def test_a_stream_that_calls_a_tool_is_kept_only_where_the_route_says_so() -> None:
    script = Script(text='{"a": 1}', kind=ContentKind.TOOL_CALL)
    for allowed, calls in ((False, 2), (True, 1)):
        world = CachingBench({A: script}, replace(EXACT, tool_calls=allowed))
        await world.ask(stream=True)
        await world.ask(stream=True)
        assert len(world.bench.calls()) == calls


@WAYS
def test_failures_and_broken_answers_are_never_kept(stream: bool) -> None:
    @virtually
    async def run() -> None:
        failing = refused(FailureKind.SERVER_ERROR)
        world = CachingBench({A: [failing, failing, failing, TOLD]}, retries=2, fallbacks=0)
        assert isinstance((await world.ask(stream=stream)).error, UpstreamError)
        assert not world.tiers.entries
        cut = CachingBench({A: [Script(text="a b c", broken=Break.CUT, broken_after=2), TOLD]}, fallbacks=0)
        await cut.ask(stream=True)
        assert (await cut.ask(stream=True)).text == TOLD.text
        await cut.settled()

    run()


@virtually
async def test_a_wish_for_a_fresh_answer_is_granted_and_renews_what_is_kept() -> None:
    world = CachingBench({A: [replace(TOLD, text="old"), replace(TOLD, text="new")]})
    await world.ask()
    fresh = await world.ask(wish=CacheWish(no_cache=True))
    later = await world.ask()
    assert (fresh.text, later.text) == ("new", "new")
    assert [event.cache for event in world.events] == ["miss", "bypass", "hit-l1"]


@virtually
async def test_a_wish_to_keep_nothing_neither_reads_nor_writes() -> None:
    world = CachingBench({A: TOLD})
    await world.ask(wish=CacheWish(no_store=True))
    assert not world.tiers.entries
    await world.ask()
    await world.ask(wish=CacheWish(no_store=True))
    assert len(world.bench.calls()) == 3


@virtually
async def test_answers_end_with_their_time_and_with_the_callers_bound() -> None:
    world = CachingBench({A: TOLD}, replace(EXACT, ttl_s=100.0))
    await world.ask()
    await asyncio.sleep(50)
    await world.ask()
    assert len(world.bench.calls()) == 1
    await world.ask(wish=CacheWish(ttl_s=30.0))  # too old for this caller
    assert len(world.bench.calls()) == 2
    await asyncio.sleep(31)
    await world.ask()  # what was kept for that caller was kept no longer than it wished
    assert len(world.bench.calls()) == 3


@WAYS
def test_a_stale_answer_is_served_while_one_fresh_is_fetched_beside(stream: bool) -> None:
    @virtually
    async def run() -> None:
        policy = replace(EXACT, ttl_s=10.0, stale_s=60.0)
        world = CachingBench({A: [replace(TOLD, text="old"), replace(TOLD, text="new")]}, policy)
        running = asyncio.create_task(world.beside.run())
        await world.ask(stream=stream)
        await asyncio.sleep(20)
        stale = [await world.ask(stream=stream) for _ in range(3)]
        assert {each.text for each in stale} == {"old"}
        await asyncio.sleep(5)
        assert (await world.ask(stream=stream)).text == "new" and len(world.bench.calls()) == 2
        caches = [event.cache for event in world.events]
        assert sorted(caches) == ["hit-l1", "hit-stale", "hit-stale", "hit-stale", "miss", "refresh"]
        refresh = world.events[caches.index("refresh")]
        assert refresh.cost_nano_usd and refresh.status == 200
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await world.settled()

    run()


@WAYS
def test_an_answer_past_its_time_stands_in_only_when_nobody_can_answer(stream: bool) -> None:
    @virtually
    async def run() -> None:
        policy = replace(EXACT, ttl_s=10.0, stale_if_error_s=600.0)
        script = [replace(TOLD, text="old"), refused(FailureKind.SERVER_ERROR)]
        world = CachingBench({A: script}, policy, retries=0, fallbacks=0)
        await world.ask(stream=stream)
        await asyncio.sleep(20)
        failed_over = await world.ask(stream=stream)
        assert failed_over.text == "old" and world.events[-1].cache == "hit-stale"
        for _ in range(5):  # the breaker opens: nobody can even be asked
            assert (await world.ask(stream=stream)).text == "old"
        other = await world.ask("something else", stream=stream)
        assert isinstance(other.error, UpstreamError | NoProviderAvailable)
        await asyncio.sleep(700)
        assert (await world.ask(stream=stream)).error is not None
        await world.settled()

    run()


@virtually
async def test_kept_answers_are_served_while_every_provider_is_out() -> None:
    world = CachingBench({A: [TOLD, refused(FailureKind.SERVER_ERROR)]}, retries=0, fallbacks=0)
    await world.ask()
    for number in range(4):
        await world.ask(f"other {number}")
    assert isinstance((await world.ask("one more")).error, NoProviderAvailable)
    assert (await world.ask()).text == TOLD.text
    assert world.events[-2].attempts == ()
    await world.settled()


@virtually
async def test_a_route_that_caches_nothing_pays_and_tells_nothing() -> None:
    world = CachingBench({A: TOLD}, CachePolicy())
    await world.ask()
    await world.ask()
    assert [event.cache for event in world.events] == ["off", "off"] and not world.tiers.entries
    assert not world.cache.outcomes


@virtually
async def test_observing_keeps_and_serves_nothing() -> None:
    world = CachingBench({A: TOLD}, CachePolicy(mode=CacheMode.OBSERVE))
    await world.ask()
    await world.ask()
    assert len(world.bench.calls()) == 2 and len(world.tiers.entries) == 1
    assert [event.cache for event in world.events] == ["observe", "observe"]


CHANGES: dict[str, dict[str, Any]] = {
    "another question": {"prompt": "ho"},
    "a system prompt": {
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    },
    "a tool": {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
    "a parameter": {"temperature": 0.5},
    "a limit": {"max_tokens": 7},
    "another tenant": {"principal": replace(local_operator(), tenant_id="other")},
    "a key with fewer models": {
        "principal": replace(local_operator(), allowed_models=frozenset({"alpha/m"}))
    },
    "a demand for a capability": {"demands": Requirements(capabilities=Capability.STRUCTURED_OUTPUT)},
    "another strategy": {"demands": Requirements(strategy="cost")},
    "another namespace": {"wish": CacheWish(namespace="elsewhere")},
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(CHANGES)), st.sampled_from(["", *sorted(CHANGES)]))
def test_nothing_is_answered_over_a_wall(wall: str, also: str) -> None:
    @virtually
    async def run() -> None:
        world = CachingBench({A: TOLD})
        before = dict(CHANGES[also]) if also not in ("", wall, "a system prompt") else {}
        if "principal" in before and "principal" in CHANGES[wall]:
            before = {}
        if "demands" in before and "demands" in CHANGES[wall]:
            before = {}
        await world.ask(**_copied(before))
        assert (await world.ask(**_copied(before))).job is not None and world.events[-1].cache == "hit-l1"
        await world.ask(**_copied(before | CHANGES[wall]))
        assert world.events[-1].cache == "miss"

    run()


def _copied(more: dict[str, Any]) -> dict[str, Any]:
    """Demands are filled in by the pipeline, so every caller brings its own."""
    return {name: replace(value) if name == "demands" else value for name, value in more.items()}
