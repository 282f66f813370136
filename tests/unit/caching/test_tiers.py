"""Two tiers and several instances: nothing that was invalidated is served, and nothing ever fails."""

import asyncio
from typing import Any

import pytest

from adapters.memory.answer_store import InMemoryAnswerStore
from adapters.memory.cache_log import InMemoryCacheLog
from adapters.memory.fast_answers import InMemoryFastAnswers
from application.caching.hearing import Hearing
from application.caching.rule_format import INVALIDATE
from application.caching.tiers import AnswerTiers
from application.caching.write_behind import WriteBehind
from application.ports.answer_store import LogRecord
from contracts.ports.answer_store import kept_answer
from contracts.ports.fast_answers import named
from domain.caching.entry import CachedAnswer
from domain.caching.invalidation import InvalidationKind, InvalidationRule, RuleBook
from domain.errors import InvalidRequest
from tests.simulation.virtual_time import VirtualClock
from tests.unit.application.upstreams import virtually

HEARD_BY_ALL_S = 0.5


class Instance:
    """One process over a store and a log that others share."""

    def __init__(self, store: InMemoryAnswerStore | None, log: InMemoryCacheLog) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.hearing = Hearing(log, self.clock)
        self.writing = None if store is None else WriteBehind(store, self.clock)
        self.fast = InMemoryFastAnswers(10_000_000, self.clock)
        self.tiers = AnswerTiers(self.fast, store, self.hearing, RuleBook(), self.writing, self.clock)
        self.running = [asyncio.create_task(self.hearing.run())]
        if self.writing is not None:
            self.running.append(asyncio.create_task(self.writing.run()))

    def asked_now(self, name: object = "a", **changed: object) -> CachedAnswer:
        """An answer to a request that begins now."""
        return kept_answer(self.clock, named(name), heard=self.tiers.heard, **changed)

    def at_hand(self, name: object = "a") -> CachedAnswer | None:
        return self.tiers.at_hand(named(name))

    async def fetch(self, name: object = "a") -> CachedAnswer | None:
        return await self.tiers.fetch(named(name))

    async def invalidate(self, kind: InvalidationKind, value: str = "", tenant_id: str = "acme") -> None:
        await self.tiers.invalidate(InvalidationRule(kind, tenant_id, value))


class World:
    def __init__(self, instances: int = 2) -> None:
        self.store = InMemoryAnswerStore(VirtualClock(asyncio.get_running_loop()))
        self.log = InMemoryCacheLog()
        self.instances = [Instance(self.store, self.log) for _ in range(instances)]

    async def __aenter__(self) -> "World":
        await asyncio.sleep(1)
        return self

    async def __aexit__(self, *_: Any) -> None:
        for instance in self.instances:
            for task in instance.running:
                task.cancel()
            await instance.tiers.aclose()


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
        assert facts.l2_down and facts.l2_not_asked == 100 - asked
        world.store.reachable = True
        await asyncio.sleep(1)
        assert await here.fetch() is not None
        assert not here.tiers.facts().l2_down


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
async def test_what_left_the_first_tier_before_it_was_written_is_found_all_the_same() -> None:
    async with World(1) as world:
        here = world.instances[0]
        world.store.reachable = False
        answer = here.asked_now()
        here.tiers.keep(answer)
        here.fast.clear()

        assert await here.fetch() == answer


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
