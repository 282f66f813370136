"""Reading the second tier: bounded, shared, and never an error."""

import asyncio

import pytest

from domain.caching.entry import CachedAnswer
from tests.unit.application.upstreams import virtually
from tests.unit.caching.tiers_world import World


@virtually
async def test_a_store_that_hangs_is_a_miss_within_its_time() -> None:
    async with World(1) as world:
        here = world.instances[0]
        world.store.answering.clear()
        began_s = here.clock.monotonic()

        assert await here.fetch() is None

        assert here.clock.monotonic() - began_s == pytest.approx(0.25)
        assert here.tiers.facts().l2_slow == 1


@virtually
async def test_a_store_that_cannot_even_be_cancelled_is_a_miss_within_its_time() -> None:
    async with World(1) as world:
        here = world.instances[0]

        async def stubborn(key: bytes) -> CachedAnswer | None:
            while True:
                try:
                    await asyncio.sleep(5)
                    return None
                except asyncio.CancelledError:
                    continue

        world.store.read = stubborn  # type: ignore[method-assign]
        began_s = here.clock.monotonic()

        assert [await here.fetch(name) for name in range(3)] == [None] * 3

        assert here.clock.monotonic() - began_s == pytest.approx(0.75)
        await asyncio.sleep(10)


@virtually
async def test_a_store_that_is_down_is_asked_once_a_second_and_used_again_when_it_is_back() -> None:
    async with World() as world:
        here, there = world.instances
        there.tiers.keep(there.asked_now())
        await asyncio.sleep(0.1)
        world.store.reachable = False
        before = world.store.reads

        for _ in range(100):
            assert await here.fetch() is None
            await asyncio.sleep(0.1)

        asked = world.store.reads - before
        assert 3 + 8 <= asked <= 3 + 10
        facts = here.tiers.facts()
        assert facts.l2_down and 100 - asked <= facts.l2_not_asked <= 97
        world.store.reachable = True
        await asyncio.sleep(1)
        assert await here.fetch() is not None
        assert not here.tiers.facts().l2_down


@virtually
async def test_a_store_that_is_back_is_found_to_be_so_though_nobody_asks() -> None:
    async with World(1) as world:
        here = world.instances[0]
        world.store.reachable = False
        for name in range(3):
            await here.fetch(name)
        assert here.tiers.facts().l2_down
        await asyncio.sleep(10)
        assert here.tiers.facts().l2_down
        world.store.reachable = True
        before = world.store.reads

        await asyncio.sleep(10)

        facts = here.tiers.facts()
        assert not facts.l2_down and facts.l2_misses == 0
        assert world.store.reads - before == 1


@virtually
async def test_an_error_of_the_stores_own_is_a_miss() -> None:
    async with World(1) as world:
        here = world.instances[0]

        async def broken(key: bytes) -> CachedAnswer | None:
            raise ValueError("a bug")

        world.store.read = broken  # type: ignore[method-assign]

        assert await here.fetch() is None
        assert here.tiers.facts().l2_failed == 1


@virtually
async def test_an_answer_under_another_key_is_a_miss() -> None:
    async with World(1) as world:
        here = world.instances[0]

        async def mixed_up(key: bytes) -> CachedAnswer | None:
            return here.asked_now("b")

        world.store.read = mixed_up  # type: ignore[method-assign]

        assert await here.fetch("a") is None
        assert here.at_hand("a") is None and here.at_hand("b") is None


@virtually
async def test_identical_fetches_are_one_and_a_caller_who_leaves_ends_nobody_elses() -> None:
    async with World() as world:
        here, there = world.instances
        answer = there.asked_now()
        there.tiers.keep(answer)
        await asyncio.sleep(0.1)
        world.store.answering.clear()
        before = world.store.reads
        fetches = [asyncio.create_task(here.fetch()) for _ in range(5)]
        await asyncio.sleep(0.05)

        fetches[0].cancel()
        world.store.answering.set()
        found = await asyncio.gather(*fetches, return_exceptions=True)

        assert isinstance(found[0], asyncio.CancelledError)
        assert found[1:] == [answer] * 4
        assert world.store.reads - before == 1
        assert here.tiers.facts().l2_joined == 4


@virtually
async def test_when_all_who_wait_have_left_the_answer_still_fills_the_first_tier() -> None:
    async with World() as world:
        here, there = world.instances
        there.tiers.keep(there.asked_now())
        await asyncio.sleep(0.1)
        world.store.answering.clear()
        fetching = asyncio.create_task(here.fetch())
        await asyncio.sleep(0.05)
        fetching.cancel()
        world.store.answering.set()
        await asyncio.sleep(0.05)

        assert here.at_hand() is not None


@virtually
async def test_an_older_answer_that_arrives_late_does_not_replace_a_newer_one() -> None:
    async with World() as world:
        here, there = world.instances
        there.tiers.keep(there.asked_now(body=b"older"))
        await asyncio.sleep(0.1)
        world.store.answering.clear()
        fetching = asyncio.create_task(here.fetch())
        await asyncio.sleep(0.05)
        newer = here.asked_now(body=b"newer")
        here.tiers.keep(newer)
        world.store.answering.set()

        assert await fetching == newer
        assert here.at_hand() == newer


@virtually
async def test_what_left_the_first_tier_before_it_was_written_is_found_all_the_same() -> None:
    async with World(1) as world:
        here = world.instances[0]
        world.store.reachable = False
        answer = here.asked_now()
        here.tiers.keep(answer)
        here.fast.clear()

        assert await here.fetch() == answer
