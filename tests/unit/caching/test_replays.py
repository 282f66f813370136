"""Kept and shared streams as each face tells them."""

import asyncio
from dataclasses import replace

import pytest

from adapters.memory.scripted_llm import Script
from domain.caching.policy import CachePolicy
from domain.llm.stream import ContentKind
from domain.routing.route_version import route_version
from domain.routing.target import Route, UsageCost
from entrypoints.http.complete import _said
from tests.unit.application.upstreams import virtually
from tests.unit.caching.caching_world import EXACT, CachingBench

A = "alpha/m"
SAID_A = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (SAID_A + SAID_A.replace(b'"a"', b'"b"'), "ab"),
        (b'data: {"choices":[{"delta":{"refusal":"no"}}]}\n\ndata: {"choices":[],"usage":{}}\n\n', "no"),
        (b'data: {"choices":[{"delta":{"content":null,"tool_calls":[{}]}}]}\n\n', ""),
        (b": keep-alive\n\ndata: [DONE]\n\n", ""),
    ],
)
def test_what_frames_say_is_read_from_them_again(frames: bytes, text: str) -> None:
    assert _said(frames) == text


@virtually
async def test_a_refusal_is_replayed_with_every_word() -> None:
    script = Script(text="I will not do that", kind=ContentKind.REFUSAL)
    world = CachingBench({A: script})
    first, again = await world.ask(stream=True), await world.ask(stream=True)
    assert again.raw == first.raw and len(world.bench.calls()) == 1
    assert _said(again.raw) == script.text


@virtually
async def test_headers_about_one_callers_call_are_told_to_nobody_else() -> None:
    world = CachingBench({A: Script(text="a b", latency_s=1)})
    job, live = world.begin(stream=True)
    other, _ = world.begin(stream=True)
    opening = [asyncio.create_task(world.pipeline.open(each, live)) for each in (job, other)]
    await asyncio.sleep(0.5)
    (call,) = world.cache.shared.calls
    streams = await asyncio.gather(*opening)
    assert call.tape is not None and streams[0].headers == call.tape.headers and streams[1].headers == ()
    for stream, each in zip(streams, (job, other), strict=True):
        stream.close()
        world.pipeline.end(each, status=499, outcome="cancelled")
    await world.settled()


@virtually
async def test_a_stale_answer_of_a_route_that_keeps_no_more_is_not_paid_for_again() -> None:
    world = CachingBench({A: Script(text="a b")}, replace(EXACT, ttl_s=10.0, stale_s=60.0))
    await world.ask()
    await asyncio.sleep(20)
    await world.ask()
    world.cache.look = lambda *_, **__: None  # type: ignore[method-assign]
    running = asyncio.create_task(world.beside.run())
    await asyncio.sleep(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(world.bench.calls()) == 1
    await world.settled()


def test_where_a_cost_is_told_is_part_of_what_a_stream_is_kept_for() -> None:
    route = Route(name="auto", targets=())
    versions = {route_version(replace(route, usage_cost=each)) for each in UsageCost}
    assert len(versions) == len(UsageCost)
    assert route_version(replace(route, cache=CachePolicy())) == route_version(replace(route, cache=EXACT))
