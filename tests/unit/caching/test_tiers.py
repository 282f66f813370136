"""Two tiers and several instances: nothing that was invalidated is served, and nothing ever fails."""

import asyncio

import pytest

from adapters.memory.cache_log import InMemoryCacheLog
from application.caching.rule_format import INVALIDATE
from application.ports.answer_store import LogRecord
from contracts.ports.fast_answers import named
from domain.caching.invalidation import InvalidationKind, InvalidationRule, Radius, radius_value
from domain.errors import InvalidRequest
from tests.unit.application.upstreams import virtually
from tests.unit.caching.tiers_world import HEARD_BY_ALL_S, Instance, World


@virtually
async def test_what_one_keeps_is_at_hand_there_and_can_be_fetched_elsewhere() -> None:
    async with World() as world:
        here, there = world.instances
        answer = here.asked_now()
        assert here.at_hand() is None and await here.fetch() is None

        assert here.tiers.keep(answer)
        await asyncio.sleep(0.1)

        assert here.at_hand() == answer
        assert there.at_hand() is None
        assert await there.fetch() == answer
        assert there.at_hand() == answer
        facts = there.tiers.facts()
        assert (facts.l1_hits, facts.l1_misses, facts.l2_hits, facts.l2_misses) == (1, 1, 1, 0)


@virtually
async def test_an_answer_asked_before_an_invalidation_and_kept_after_it_is_served_nowhere() -> None:
    async with World() as world:
        here, there = world.instances
        began_here, began_there = here.asked_now("a"), there.asked_now("b")

        await there.invalidate(InvalidationKind.TENANT)
        there.tiers.keep(began_there)
        here.tiers.keep(began_here)  # has not heard of it yet
        await asyncio.sleep(HEARD_BY_ALL_S)

        for instance in world.instances:
            for name in ("a", "b"):
                assert instance.at_hand(name) is None
                assert await instance.fetch(name) is None
        again = here.asked_now("a")
        here.tiers.keep(again)
        await asyncio.sleep(0.1)
        assert here.at_hand("a") == again and await there.fetch("a") == again


@virtually
async def test_what_the_second_tier_still_has_is_not_served_once_it_was_invalidated() -> None:
    async with World(3) as world:
        first, second, third = world.instances
        first.tiers.keep(first.asked_now("red", tags=("red",)))
        first.tiers.keep(first.asked_now("blue", tags=("blue",)))
        await asyncio.sleep(0.1)
        assert await second.fetch("red") is not None

        await third.invalidate(InvalidationKind.TAG, "red")
        assert third.at_hand("red") is None and await third.fetch("red") is None
        await asyncio.sleep(HEARD_BY_ALL_S)

        for instance in (first, second):
            assert instance.at_hand("red") is None
            assert await instance.fetch("red") is None
            assert await instance.fetch("blue") is not None


@virtually
async def test_an_invalidation_that_arrives_while_a_fetch_runs_counts_for_it() -> None:
    async with World() as world:
        here, there = world.instances
        there.tiers.keep(there.asked_now())
        await asyncio.sleep(0.1)
        world.store.answering.clear()
        fetching = asyncio.create_task(here.fetch())
        await asyncio.sleep(0)

        await here.invalidate(InvalidationKind.ROUTE, "fast")
        world.store.answering.set()

        assert await fetching is None
        assert here.at_hand() is None


@virtually
async def test_a_log_that_was_emptied_leaves_nothing_to_be_served() -> None:
    """With the log, invalidations may have been lost that nobody remembers."""
    async with World() as world:
        here, there = world.instances
        running = there.asked_now("b")
        here.tiers.keep(here.asked_now("a"))
        await asyncio.sleep(0.1)

        world.log.lose()
        await asyncio.sleep(HEARD_BY_ALL_S)
        there.tiers.keep(running)
        await asyncio.sleep(0.1)

        for instance in world.instances:
            for name in ("a", "b"):
                assert instance.at_hand(name) is None and await instance.fetch(name) is None
        here.tiers.keep(here.asked_now("a"))
        await asyncio.sleep(0.1)
        assert here.at_hand("a") and await there.fetch("a")


@virtually
async def test_a_new_instance_serves_nothing_before_it_knows_what_was_invalidated() -> None:
    async with World(1) as world:
        here = world.instances[0]
        here.tiers.keep(here.asked_now("red", tags=("red",)))
        here.tiers.keep(here.asked_now("blue"))
        await asyncio.sleep(0.1)
        await here.invalidate(InvalidationKind.TAG, "red")

        new = Instance(world.store, world.log)
        world.instances.append(new)

        assert await new.fetch("red") is None and await new.fetch("blue") is None
        assert world.store.reads == 0
        await asyncio.sleep(HEARD_BY_ALL_S)
        assert await new.fetch("red") is None and await new.fetch("blue") is not None


@virtually
async def test_a_record_that_cannot_be_read_takes_everything_out_that_was_asked_before() -> None:
    async with World(1) as world:
        here = world.instances[0]
        here.tiers.keep(here.asked_now())
        await world.log.append([LogRecord(INVALIDATE, b"originXX[1, 2, 3, 4]")])
        await asyncio.sleep(HEARD_BY_ALL_S)

        assert here.at_hand() is None and await here.fetch() is None
        assert here.tiers.unreadable_rules == 1


@virtually
async def test_a_rule_that_says_nothing_is_refused_before_anybody_hears_it() -> None:
    async with World(1) as world:
        with pytest.raises(InvalidRequest):
            await world.instances[0].invalidate(InvalidationKind.TAG, "")

        assert world.instances[0].hearing.heard == 0


@virtually
async def test_without_the_log_nothing_is_served_after_a_minute_and_all_of_it_again_later() -> None:
    async with World(1) as world:
        here = world.instances[0]
        here.tiers.keep(here.asked_now())
        world.log.reachable = False
        await asyncio.sleep(50)
        during = here.at_hand()
        await asyncio.sleep(20)
        after = here.at_hand(), await here.fetch()
        assert here.tiers.facts().suspended and here.tiers.suspended
        world.log.reachable = True
        await asyncio.sleep(1)

        assert during is not None and after == (None, None)
        assert here.at_hand() is not None


@virtually
async def test_nothing_is_at_hand_past_the_end_of_its_life() -> None:
    async with World(1) as world:
        here = world.instances[0]
        here.tiers.keep(here.asked_now())

        await asyncio.sleep(3_601)

        assert here.at_hand() is None and await here.fetch() is None
        assert here.fast.facts().entries == 0


@virtually
async def test_an_answer_that_no_longer_counts_does_not_replace_one_that_does() -> None:
    async with World() as world:
        here, there = world.instances
        slow = here.asked_now(body=b"slow")
        await here.invalidate(InvalidationKind.TENANT)
        quick = here.asked_now(body=b"quick")
        assert here.tiers.keep(quick)

        assert not here.tiers.keep(slow)
        await asyncio.sleep(HEARD_BY_ALL_S)

        assert here.at_hand() == quick and await there.fetch() == quick


@virtually
async def test_forgetting_reaches_both_tiers_and_never_fails() -> None:
    async with World() as world:
        here, there = world.instances
        here.tiers.keep(here.asked_now("a"))
        await asyncio.sleep(0.1)
        here.tiers.keep(here.asked_now("b"))

        await here.tiers.forget([named("a"), named("b")])
        await asyncio.sleep(0.1)

        for name in ("a", "b"):
            assert here.at_hand(name) is None
            assert await there.fetch(name) is None
        world.store.reachable = False
        await here.tiers.forget([named("a")])
        assert here.tiers.erase_failures == 1


@virtually
async def test_one_tier_alone_works_too() -> None:
    log = InMemoryCacheLog()
    here = Instance(None, log)
    await asyncio.sleep(1)
    answer = here.asked_now()

    assert here.tiers.keep(answer)

    assert here.at_hand() == answer and await here.fetch() is None
    await here.tiers.forget([named("a")])
    assert here.at_hand() is None
    assert here.tiers.facts().written == 0
    for task in here.running:
        task.cancel()


@virtually
async def test_rules_are_forgotten_when_nothing_asked_before_them_can_live() -> None:
    async with World(1) as world:
        here = world.instances[0]
        for number in range(200):
            await here.invalidate(InvalidationKind.TAG, f"tag {number}")
            here.clock._loop.advance(86_400.0)  # type: ignore[attr-defined]

        assert 90 <= here.tiers.facts().rules <= 95


@virtually
async def test_what_is_forbidden_does_not_come_back_from_where_it_was_on_its_way() -> None:
    async with World() as world:
        here, there = world.instances
        running = here.asked_now("a")
        here.tiers.keep(here.asked_now("b"))
        position = await there.tiers.invalidate(
            InvalidationRule(InvalidationKind.RADIUS, "acme", radius_value(Radius(0.9, b"1234", "minilm")))
        )
        await asyncio.sleep(HEARD_BY_ALL_S)
        assert here.at_hand("b") is not None

        for instance in world.instances:
            await instance.tiers.forbid("acme", [named("a"), named("b")], position)
        assert not here.tiers.keep(running)
        await asyncio.sleep(0.1)

        for name in ("a", "b"):
            assert here.at_hand(name) is None and await there.fetch(name) is None
        assert here.tiers.keep(here.asked_now("b"))
