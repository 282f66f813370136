"""Answers to similar questions in the way of requests: found, served, learned from, shared and taken out."""

import asyncio
from dataclasses import replace

import pytest

from adapters.memory.scripted_llm import Script
from application.caching.verified_book import Judged
from domain.caching.invalidation import InvalidationKind, InvalidationRule, Radius, radius_value
from domain.caching.policy import CacheMode, CachePolicy
from domain.llm.usage import Usage
from domain.tenancy.role import local_operator
from tests.unit.application.upstreams import virtually
from tests.unit.caching.similar_world import SimilarBench

A = "alpha/m"
TOLD = Script(text="Paris is the capital", usage=Usage(10, 3))
THRESHOLD = CachePolicy(mode=CacheMode.THRESHOLD, similarity_threshold=0.8)
VERIFIED = CachePolicy(mode=CacheMode.VERIFIED, similarity_threshold=0.8, audit_share=0.0)
OBSERVE = replace(VERIFIED, mode=CacheMode.OBSERVE)
ONE, OTHER = "what is the capital city of france", "what is the capital city of france then"
FAR = "how do plants turn sunlight into sugar"


def sure(world: SimilarBench, serve: bool = True) -> None:
    """The model says yes (or no) to every pair."""
    world.book.judge = lambda *_a, **_k: Judged((1.0,), "", serve, 0.999, "sure")  # type: ignore[method-assign]


@virtually
async def test_a_similar_question_is_answered_in_mode_threshold() -> None:
    world = SimilarBench({A: TOLD}, THRESHOLD)
    await world.start()
    await world.ask(ONE)
    await world.tick()
    again = await world.ask(OTHER)
    assert again.text == TOLD.text and len(world.bench.calls()) == 1
    event = world.events[-1]
    assert event.cache == "hit-semantic" and event.cost_nano_usd == 0
    assert event.saved_nano_usd == world.events[0].cost_nano_usd != 0
    assert event.cache_similarity is not None and 0.8 <= event.cache_similarity < 1
    await world.ask(FAR)
    assert len(world.bench.calls()) == 2


@pytest.mark.parametrize("serve", [False, True])
def test_verified_serves_what_the_model_is_sure_of_and_nothing_else(serve: bool) -> None:
    @virtually
    async def run() -> None:
        world = SimilarBench({A: TOLD}, VERIFIED)
        await world.start()
        sure(world, serve)
        await world.ask(ONE)
        await world.tick()
        await world.ask(OTHER)
        assert world.events[-1].cache == ("hit-semantic" if serve else "miss")

    run()


@virtually
async def test_without_any_label_an_unknown_embedder_serves_nothing_and_learns() -> None:
    world = SimilarBench({A: TOLD}, VERIFIED)
    await world.start()
    for text in (ONE, OTHER):
        await world.ask(text)
        await world.tick()
    subject = local_operator().tenant_id, "auto"
    standing = world.book.standing(subject)
    assert [event.cache for event in world.events] == ["miss", "miss"]
    assert standing is not None and standing.model.labels == 1


@virtually
async def test_what_was_refused_teaches_right_and_wrong() -> None:
    seen: list[bool] = []
    world = SimilarBench({A: [TOLD, TOLD, replace(TOLD, text="Rome")]}, VERIFIED)
    await world.start()
    sure(world, serve=False)
    world.book.learn = lambda *_a, same, audit: seen.append(same)  # type: ignore[method-assign]
    for text in (ONE, OTHER, ONE + " please"):
        await world.ask(text)
        await world.tick()
    assert seen == [True, False]


@virtually
async def test_audits_ask_again_beside_and_count_wrong_hits() -> None:
    world = SimilarBench({A: [TOLD, replace(TOLD, text="Rome")]}, replace(VERIFIED, audit_share=1.0))
    await world.start()
    running = asyncio.create_task(world.beside.run())
    sure(world)
    await world.ask(ONE)
    await world.tick()
    served = await world.ask(OTHER)
    await asyncio.sleep(5)
    await world.tick()
    assert served.text == TOLD.text
    rates = world.book.standing((local_operator().tenant_id, "auto"))
    assert rates is not None and (rates.rates.hits, rates.rates.audited, rates.rates.wrong) == (1, 1, 1)
    audit = next(event for event in world.events if event.cache == "audit")
    assert audit.cost_nano_usd and world.beside.spending.spent_nano_usd(audit.tenant_id, "auto")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@virtually
async def test_audits_stop_at_their_daily_allowance() -> None:
    world = SimilarBench({A: TOLD}, replace(VERIFIED, audit_share=1.0, shadow_usd_per_day=0.0))
    await world.start()
    running = asyncio.create_task(world.beside.run())
    sure(world)
    await world.ask(ONE)
    await world.tick()
    await world.ask(OTHER)
    await asyncio.sleep(5)
    assert len(world.bench.calls()) == 1 and world.beside.counts["audit: over its daily budget"] == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@virtually
async def test_observe_serves_nothing_and_forecasts_what_verified_would() -> None:
    world = SimilarBench({A: TOLD}, OBSERVE)
    await world.start()
    sure(world)
    for text in (ONE, OTHER, ONE, FAR):
        await world.ask(text)
        await world.tick()
    assert len(world.bench.calls()) == 4 and {event.cache for event in world.events} == {"observe"}
    standing = world.book.standing((local_operator().tenant_id, "auto"))
    assert standing is not None
    assert (standing.exact_hits, standing.rates.hits, standing.rates.audited) == (1, 1, 1)
    assert standing.saved_nano_usd == 2 * (world.events[0].cost_nano_usd or 0)


@virtually
async def test_another_tenant_is_never_answered_from_it() -> None:
    world = SimilarBench({A: TOLD}, THRESHOLD)
    await world.start()
    await world.ask(ONE)
    await world.tick()
    await world.ask(OTHER, principal=replace(local_operator(), tenant_id="other"))
    system = [{"role": "system", "content": "rhyme"}, {"role": "user", "content": OTHER}]
    await world.ask(messages=system)
    await world.ask(OTHER, temperature=0.3)
    assert [event.cache for event in world.events] == ["miss"] * 4


@virtually
async def test_questions_that_must_be_equal_are_not_compared() -> None:
    world = SimilarBench({A: TOLD}, THRESHOLD)
    await world.start()
    for text in ("what is the weather in paris today", "what is the weather in paris today please"):
        await world.ask(text)
        await world.tick()
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    for text in (ONE, OTHER):
        await world.ask(text, tools=[tool])
        await world.tick()
    assert [event.cache for event in world.events] == ["miss"] * 4


@virtually
async def test_an_embedder_that_fails_or_is_slow_costs_hits_and_nothing_else() -> None:
    world = SimilarBench({A: TOLD}, THRESHOLD)
    await world.start()
    await world.ask(ONE)
    await world.tick()
    world.embedder.broken = True
    assert (await world.ask(OTHER)).text == TOLD.text
    world.embedder.broken = False
    world.embedder.waits = lambda: asyncio.sleep(30)
    begun = world.bench.clock.monotonic()
    assert (await world.ask(OTHER + " so")).text == TOLD.text
    assert world.bench.clock.monotonic() - begun < 1
    counts = world.nearest.counts
    assert (counts["unavailable"], counts["too_slow"]) == (1, 1)


@virtually
async def test_instances_share_questions_and_what_they_learned() -> None:
    one = SimilarBench({A: TOLD}, THRESHOLD)
    two = SimilarBench({A: TOLD}, THRESHOLD, common=one.common)
    for each in (one, two):
        await each.start()
    await one.ask(ONE)
    await one.tick()
    await two.tick()
    assert (await two.ask(OTHER)).text == TOLD.text
    assert two.events[-1].cache == "hit-semantic" and not two.bench.calls()
    third = SimilarBench({A: TOLD}, THRESHOLD, common=one.common)
    await third.start()
    await third.tick()
    await third.ask(OTHER)
    assert third.events[-1].cache == "hit-semantic"


@virtually
async def test_labels_reach_all_instances_once() -> None:
    one = SimilarBench({A: TOLD}, VERIFIED)
    two = SimilarBench({A: TOLD}, VERIFIED, common=one.common)
    for each in (one, two):
        await each.start()
    for text in (ONE, OTHER):
        await one.ask(text)
        await one.tick()
    await two.tick()
    subject = local_operator().tenant_id, "auto"
    for each in (one, two):
        standing = each.book.standing(subject)
        assert standing is not None and standing.model.labels == 1


@pytest.mark.parametrize("kind", ["radius", "prompt", "tag", "everything"])
def test_what_is_invalidated_is_no_longer_served_for_similar_questions(kind: str) -> None:
    @virtually
    async def run() -> None:
        world = SimilarBench({A: TOLD}, replace(THRESHOLD, tags=("geo",)))
        await world.start()
        await world.ask(ONE)
        await world.ask(FAR)
        await world.tick()
        (vector,) = await world.embedder.embed([ONE])
        value = {
            "radius": radius_value(Radius(0.9, vector, world.embedder.id)),
            "prompt": "What is the  capital",
            "tag": "geo",
            "everything": "",
        }[kind]
        tenant = "" if kind == "everything" else local_operator().tenant_id
        await world.tiers.invalidate(InvalidationRule(InvalidationKind(kind), tenant, value))
        await world.tick()
        await world.ask(OTHER)
        await world.ask(FAR)
        far = "hit-l1" if kind in ("radius", "prompt") else "miss"
        assert [event.cache for event in world.events[-2:]] == ["miss", far]

    run()


@virtually
async def test_a_candidate_past_its_time_is_not_served() -> None:
    world = SimilarBench({A: TOLD}, replace(THRESHOLD, ttl_s=100.0, stale_if_error_s=1000.0))
    await world.start()
    await world.ask(ONE)
    await world.tick()
    await asyncio.sleep(150)
    await world.tick()
    await world.ask(OTHER)
    assert world.events[-1].cache == "miss"
