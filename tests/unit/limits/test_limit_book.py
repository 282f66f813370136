"""Limits on the way of requests: local where a slice is at hand, never above, and nearly all of it usable."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest

from application.limit_book import LimitBook
from domain.errors import InvalidRequest, RateLimited, StoreUnavailable
from domain.limits.limit import Meter
from domain.llm.request import Operation
from tests.unit.limits.limit_world import ROUTE, World, job, limit, most_above

MINUTE_US = 60_000_000


def event(cache: str = "miss", tokens: int = 0) -> Any:
    return SimpleNamespace(cache=cache, input_tokens=tokens, output_tokens=0)


def at_hand(world: World) -> int:
    """What the first instance may let through without asking."""
    return sum(each.left for each in world.books[0]._slices.values())


async def test_three_a_minute_let_three_through_and_the_next_after_twenty_seconds() -> None:
    world = World(limit(requests=3), instances=3)

    let = [await world.ask(instance) for instance in (0, 1, 2, 0, 1)]

    assert [each is not None for each in let] == [True, True, True, False, False]
    world.clock.advance(19.9)
    assert await world.ask(0) is None
    world.clock.advance(0.2)
    assert await world.ask(1) is not None
    assert await world.ask(2) is None


async def test_a_refusal_says_which_limit_and_when() -> None:
    world = World(limit("few", requests=1, scope={"tenant": "acme", "key": "*"}))
    await world.ask()

    with pytest.raises(RateLimited) as refused:
        await world.books[0].admit(job(world.clock), ROUTE)  # type: ignore[misc]

    assert refused.value.retry_after_s == pytest.approx(60)
    assert refused.value.details["limit"] == "few"
    assert refused.value.details["subject"] == "key=k1"
    assert await world.ask(key="k2") is not None


async def test_a_slice_answers_without_a_question() -> None:
    world = World(limit(requests=60_000))
    for _ in range(3):
        for _ in range(200):
            assert await world.ask() is not None
            world.clock.advance(0.001)
    asked = world.memory.exchanges

    for _ in range(100):
        assert world.books[0].admit(job(world.clock), ROUTE) is None

    assert world.memory.exchanges == asked
    assert asked < 30


async def test_nothing_is_taken_of_any_limit_where_one_refuses() -> None:
    world = World(limit("wide", requests=100), limit("narrow", requests=1))
    assert await world.ask() is not None

    for _ in range(20):
        assert await world.ask() is None

    wide, _ = world.books[0].standings(await started(world))
    assert wide.remaining >= 98


async def started(world: World) -> Any:
    world.clock.advance(61)
    asking = await world.ask()
    assert asking is not None
    return asking


@pytest.mark.parametrize(("amount", "burst"), [(600, 100), (6000, 300), (60_000, 60_000), (120, 120)])
@pytest.mark.parametrize("load", [0.9, 1.0, 3.0])
async def test_instances_together_are_never_above_and_use_nearly_all(
    amount: int, burst: int, load: float
) -> None:
    """Six instances, a random one asked each time, for twenty seconds."""
    world = World(limit(requests=amount, burst=burst), instances=6)
    chance = random.Random(amount + burst)
    per_s, seconds = amount / 60, 20
    refused = asked = 0
    step_s = max(0.001, 1 / (per_s * load))
    for number in range(int(seconds / step_s)):
        for _ in range(max(1, round(per_s * load * step_s))):
            asked += 1
            refused += await world.ask(chance.randrange(6)) is None
        world.clock.advance(step_s)
        if number % max(1, int(0.25 / step_s)) == 0:
            for book in world.books:
                await book.look()

    slack = 0.3 * per_s if world.books[0].limits[0].requests < 200 else 0  # type: ignore[operator]
    assert most_above(world.admitted, amount, MINUTE_US, burst) <= slack + 1e-6
    usable = min(asked, burst + per_s * seconds)
    assert len(world.admitted) >= 0.95 * usable, (len(world.admitted), usable, refused)


async def test_an_instance_that_dies_takes_at_most_its_lease_with_it() -> None:
    world = World(limit(requests=6000, burst=600), instances=4)
    for second in range(10):
        for _ in range(300):
            await world.ask(random.Random(second).randrange(4))
            world.clock.advance(1 / 300)
        world.books[second % 4] = world.new_book(world.books[0].limits)

    assert most_above(world.admitted, 6000, MINUTE_US, 600) <= 1e-6
    assert len(world.admitted) >= 0.95 * 1600


async def test_without_its_store_an_instance_uses_its_lease_and_then_refuses() -> None:
    world = World(limit(requests=60_000))
    for _ in range(500):
        await world.ask()
        world.clock.advance(0.001)
    leased = at_hand(world)
    world.memory.reachable = False

    let = sum([await world.ask() is not None for _ in range(500)])

    assert 0 < let == leased
    with pytest.raises(StoreUnavailable) as refused:
        await world.books[0].admit(job(world.clock), ROUTE)  # type: ignore[misc]
    assert refused.value.retry_after_s == 1.0
    world.memory.reachable = True
    world.clock.advance(1)
    assert await world.ask() is not None


async def test_tokens_are_corrected_after_the_answer() -> None:
    world = World(limit(tokens=10_000))
    first = await world.ask(max_output_tokens=6000)
    assert first is not None
    assert await world.ask(max_output_tokens=6000) is None

    world.books[0].ended(first, event(tokens=1000))
    world.clock.advance(1)

    assert await world.ask(max_output_tokens=6000) is not None


async def test_what_was_used_beyond_the_estimate_delays_the_next() -> None:
    world = World(limit(tokens=6000))
    first = await world.ask(max_output_tokens=100)
    assert first is not None

    world.books[0].ended(first, event(tokens=12_000))

    assert await world.ask(max_output_tokens=100) is None
    world.clock.advance(50)
    assert await world.ask(max_output_tokens=100) is None
    world.clock.advance(20)
    assert await world.ask(max_output_tokens=100) is not None


async def test_an_answer_from_the_cache_counts_as_a_request_alone() -> None:
    world = World(limit(tokens=10_000, requests=2))
    for _ in range(2):
        asking = await world.ask(max_output_tokens=9000)
        assert asking is not None
        world.books[0].ended(asking, event("hit-exact", tokens=9000))

    assert await world.ask(max_output_tokens=10) is None


async def test_a_request_larger_than_a_limit_could_ever_let_through_is_told_so() -> None:
    world = World(limit(tokens=100))

    with pytest.raises(InvalidRequest) as refused:
        await world.books[0].admit(job(world.clock, body=b"x" * 4000), ROUTE)  # type: ignore[misc]

    assert refused.value.param == "body"


async def test_an_answer_that_may_be_longer_than_the_limit_takes_all_of_it() -> None:
    world = World(limit(tokens=1000))

    assert await world.ask(max_output_tokens=50_000) is not None
    assert await world.ask(max_output_tokens=1) is None


async def test_a_quota_ends_with_its_calendar_period() -> None:
    world = World(limit(requests=3, per="day", calendar=True), instances=2)

    let = [await world.ask(number % 2) for number in range(6)]
    assert [each is not None for each in let] == [True, True, True, False, False, False]
    world.clock.advance(86_400)

    assert await world.ask(0) is not None


async def test_a_request_that_never_was_takes_nothing() -> None:
    world = World(limit(requests=1))
    asking = await world.ask()
    assert asking is not None

    world.books[0].left(asking)

    assert await world.ask() is not None


async def test_waiters_share_one_question() -> None:
    world = World(limit(requests=6000))

    let = await asyncio.gather(*(world.ask() for _ in range(50)))

    assert all(each is not None for each in let)
    assert world.memory.exchanges <= 2


async def test_a_waiter_who_leaves_harms_nobody() -> None:
    world = World(limit(requests=10))
    leaving = asyncio.ensure_future(world.ask())
    staying = asyncio.ensure_future(world.ask())
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying is not None
    assert leaving.cancelled()


async def test_others_are_not_concerned() -> None:
    world = World(limit(requests=1))
    await world.ask()

    assert world.books[0].admit(job(world.clock, tenant="other"), ROUTE) is None


def test_without_limits_nobody_is_asked() -> None:
    world = World()

    assert world.books[0].admit(job(world.clock), ROUTE) is None


async def test_callers_who_make_subjects_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("application.limit_book.SLICES_MAX", 50)
    monkeypatch.setattr("application.limit_book.CALLERS_MAX", 50)
    world = World(limit(requests=5, scope={"tenant": "acme", "key": "*"}))
    book: LimitBook = world.books[0]

    for number in range(200):
        await world.ask(key=f"k{number}")

    assert len(book._slices) <= 50
    assert len(book._known) <= 50


async def test_what_is_idle_goes_back() -> None:
    world = World(limit(requests=6000), instances=2)
    for _ in range(200):
        await world.ask(0)
        world.clock.advance(0.005)
    world.clock.advance(2)

    await world.books[0].look()

    assert at_hand(world) == 0


async def test_of_several_full_limits_the_longest_wait_is_told() -> None:
    short, long = limit("short", requests=60, burst=1), limit("long", requests=2, burst=1)
    world = World(short, long)
    assert await world.ask()
    waits = []
    for _ in range(3):
        asking = job(world.clock)
        with pytest.raises(RateLimited) as refused:
            room = world.books[0].admit(asking, ROUTE)
            assert room is not None
            await room
        waits.append(refused.value.retry_after_s)
    assert waits[-1] == pytest.approx(30, abs=1)
    assert refused.value.details["limit"] == "long"


async def test_counting_tokens_is_a_request_that_uses_none() -> None:
    world = World(limit("both", requests=2, tokens=1_000))

    def counting() -> Any:
        asking = job(world.clock, body=b"x" * 100_000)
        asking.request.operation = Operation.COUNT_TOKENS
        return asking

    for _ in range(2):
        asking = counting()
        if (room := world.books[0].admit(asking, ROUTE)) is not None:
            await room
        assert [each.meter for each in world.books[0].standings(asking)] == [Meter.REQUESTS]
        world.books[0].ended(asking, event(tokens=50_000))

    with pytest.raises(RateLimited) as refused:
        await world.books[0].admit(counting(), ROUTE)  # type: ignore[misc]
    assert refused.value.details["counts"] == "requests"


async def test_a_crowd_that_comes_at_once_is_let_in_where_there_is_room() -> None:
    """Neither a later question nor whoever was faster may take what was granted to those who waited."""
    world = World(limit("all", requests=600_000), limit("each", requests=600_000, tokens=900_000_000))

    async def caller(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return sum([await world.ask() is not None for _ in range(10)])

    assert sum(await asyncio.gather(*(caller(place % 13) for place in range(200)))) == 2000
