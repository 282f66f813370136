"""What operators see of the cache, what they take out, and what they put in."""

import asyncio
from typing import Any

import pytest

from adapters.memory.scripted_llm import Script
from domain.caching.entry import Freshness
from domain.caching.policy import CacheMode, CachePolicy, CacheScope, CacheWish
from domain.errors import Forbidden, InvalidRequest, NotFound, StoreUnavailable
from domain.llm.failures import FailureKind
from domain.llm.usage import Usage
from tests.unit.application.upstreams import refused, virtually
from tests.unit.caching.operations_world import Operations, answer, chat, principal

A, B = "alpha/m", "beta/m"
TOLD = Script(text="one two three", latency_s=0.5, usage=Usage(10, 3))
STALE = CachePolicy(mode=CacheMode.EXACT, ttl_s=10, stale_s=10, stale_if_error_s=100)


# Explaining


@virtually
async def test_an_explanation_is_what_then_happens() -> None:
    async with Operations({A: TOLD}) as world:
        before = await world.explain("hi")
        asked = await world.world.ask("hi")
        await asyncio.sleep(0.1)
        after = await world.explain("hi")

        assert asked.job is not None and asked.job.course is not None
        assert before.key == after.key == asked.job.course.key
        assert (before.effect, after.effect) == ("miss", "hit-l1")
        assert after.l1 is not None and after.l1.state is Freshness.FRESH
        assert after.l2 is not None and after.similar is None
        assert len(world.world.bench.calls()) == 1


@virtually
async def test_an_explanation_changes_no_counts() -> None:
    async with Operations({A: TOLD}) as world:
        await world.world.ask("hi")
        before = world.instance.tiers.facts()
        await world.explain("hi")
        await world.explain("other")

        after = world.instance.tiers.facts()
        assert (after.l1_hits, after.l1_misses, after.l2_hits, after.l2_misses) == (
            before.l1_hits, before.l1_misses, before.l2_hits, before.l2_misses,
        )  # fmt: skip


@virtually
async def test_an_explanation_knows_ages() -> None:
    async with Operations({A: TOLD}, STALE) as world:
        await world.world.ask("hi")
        await asyncio.sleep(15)
        assert (await world.explain("hi")).effect == "hit-stale"
        await asyncio.sleep(10)
        late = await world.explain("hi")

        assert late.effect == "miss" and late.l1 is not None and late.l1.state is Freshness.FOR_ERRORS
        assert late.l1.fresh_for_s < -10


@pytest.mark.parametrize(
    ("wish", "fields", "why"),
    [
        (CacheWish(no_store=True), {}, "no-store"),
        (CacheWish(no_cache=True), {}, "no-cache"),
        (CacheWish(), {"n": 2}, "choices"),
        (CacheWish(), {"temperature": 2}, "temperature"),
    ],
    ids=str,
)
def test_an_explanation_says_why_nothing_is_served(wish: CacheWish, fields: dict[str, Any], why: str) -> None:
    @virtually
    async def run() -> None:
        policy = CachePolicy(mode=CacheMode.EXACT, temperature_max=1)
        async with Operations({A: TOLD}, policy) as world:
            found = await world.explain("hi", wish, **fields)
            assert (found.effect, found.why) == ("bypass", why)

    run()


@virtually
async def test_answers_of_each_user_take_no_part_without_a_user() -> None:
    async with Operations({A: TOLD}, CachePolicy(mode=CacheMode.EXACT, scope=CacheScope.USER)) as world:
        assert (await world.explain("hi")).why == "nobody_named"


@virtually
async def test_a_second_tier_that_is_away_is_told() -> None:
    async with Operations({A: TOLD}) as world:
        world.store.reachable = False

        found = await world.explain("hi")

        assert found.l2_down and found.effect == "miss"


@virtually
async def test_while_nothing_is_heard_nothing_is_there() -> None:
    async with Operations({A: TOLD}) as world:
        await world.world.ask("hi")
        world.log.reachable = False
        await asyncio.sleep(70)

        found = await world.explain("hi")

        assert found.suspended and found.effect == "miss"
        assert world.manage.status().degraded and world.manage.status().suspended


# Looking


@virtually
async def test_status_tells_of_a_store_that_went_and_came_back() -> None:
    async with Operations({A: TOLD}) as world:
        assert world.manage.status().l2 == "up" and not world.manage.status().degraded
        world.store.reachable = False
        await world.manage.figures()
        assert world.manage.status().l2 == "down" and world.manage.status().degraded
        world.store.reachable = True
        await world.manage.figures()
        assert not world.manage.status().degraded


@virtually
async def test_nothing_is_asked_while_nothing_is_cached() -> None:
    async with Operations({A: TOLD}) as world:
        world.opened = False
        world.store.reachable = False

        figures = await world.manage.figures()

        assert figures.store is None and world.manage.status().l2 == "up"


@virtually
async def test_an_entry_is_its_tenants_only() -> None:
    async with Operations({A: TOLD}) as world:
        await world.world.ask("hi")
        key = (await world.explain("hi")).key.hex()

        assert (await world.manage.entry(principal(), key)).answer.finish_reason == "stop"
        for by in (principal(tenant_id="b"), principal("viewer", "b")):
            with pytest.raises(NotFound):
                await world.manage.entry(by, key)
        with pytest.raises(Forbidden):
            await world.manage.entry(principal("agent"), key)
        for wrong in ("", "ab", "zz" * 32, key + " "):
            with pytest.raises(InvalidRequest):
                await world.manage.entry(principal(), wrong)


# Taking out


@virtually
async def test_what_was_invalidated_is_not_there_any_more() -> None:
    async with Operations({A: TOLD}) as world:
        await world.world.ask("hi")
        done = await world.invalidate(kind="tenant")

        assert (await world.explain("hi")).effect == "miss"
        assert done.rule.tenant_id == "default" and done.heard_by_all_within_s <= 1


@virtually
async def test_an_invalidation_that_nobody_may_have_heard_is_an_error() -> None:
    async with Operations({A: TOLD}) as world:
        await world.world.ask("hi")
        world.log.reachable = False

        with pytest.raises(StoreUnavailable):
            await world.invalidate(kind="tenant")


@pytest.mark.parametrize("kind", ["tag", "tenant", "everything"])
def test_tenants_take_out_their_own_answers_only(kind: str) -> None:
    @virtually
    async def run() -> None:
        value = "x" if kind == "tag" else ""
        async with Operations({A: TOLD}) as world:
            await world.world.ask("hi")
            for wanted in ({"tenant_id": "default"}, {"tenant_id": ""}):
                with pytest.raises(Forbidden):
                    await world.invalidate(principal(tenant_id="b"), kind=kind, value=value, **wanted)
            with pytest.raises(Forbidden):
                await world.invalidate(principal("developer"), kind=kind, value=value)
            if kind != "everything":
                await world.invalidate(principal(tenant_id="b"), kind=kind, value=value)
            assert (await world.explain("hi")).effect == "hit-l1"

    run()


# Filling


@virtually
async def test_a_file_of_requests_is_asked_once_each_and_recorded() -> None:
    async with Operations({A: TOLD}) as world:
        first = await world.warm(chat("one"), chat("two"), chat("one"))
        again = await world.warm(chat("one"), chat("three", stream=True))

        assert [line.outcome for line in first] == ["kept", "kept", "skipped"]
        assert [line.reason for line in again] == ["kept_already", ""]
        assert len(world.world.bench.calls()) == 3
        assert {event.cache for event in world.world.events} == {"refresh"}
        assert (await world.world.ask("one")).job.cache == "hit-l1"  # type: ignore[union-attr]
        assert (await world.world.ask("three", stream=True)).job.cache == "hit-l1"  # type: ignore[union-attr]
        await world.world.settled()


@virtually
async def test_what_fails_says_why_and_the_rest_goes_on() -> None:
    async with Operations({A: refused(FailureKind.CALLER_FAULT)}) as world:
        lines = await world.warm(chat("one"), chat("x", model="none"), {"no": "request"}, "text")

        assert [line.outcome for line in lines] == ["failed"] * 4
        assert lines[0].reason == "upstream_caller_fault" and lines[1].reason == "model_not_found"


@virtually
async def test_a_cut_answer_is_paid_for_and_not_kept() -> None:
    async with Operations({A: Script(text="one", usage=Usage(10, 3), finish_reason="length")}) as world:
        (line,) = await world.warm(chat("one"))

        assert (line.outcome, line.reason) == ("skipped", "truncated_or_filtered")
        assert line.cost_nano_usd and world.spent_nano_usd == line.cost_nano_usd


@virtually
async def test_lines_wait_for_each_other_rather_than_pass_the_cost() -> None:
    """The bound of each is most of the maximum, and its bill a small part of it."""
    async with Operations({A: TOLD}) as world:
        lines = await world.warm(*(chat(f"q{n}", max_tokens=1_000) for n in range(5)), usd=0.005)
        assert [line.outcome for line in lines] == ["kept"] * 5

        dear = await world.warm(chat("dear", max_tokens=1_000), usd=0.001)
        assert dear[0].reason == "max_cost" and len(world.world.bench.calls()) == 5


@virtually
async def test_a_logged_answer_is_kept_without_a_call_and_saves_an_unknown_cost() -> None:
    async with Operations({A: TOLD}) as world:
        lines = await world.warm({"request": chat("one"), "response": answer("logged")})
        heard = await world.world.ask("one")

        assert lines[0].outcome == "kept" and world.spent_nano_usd == 0
        assert heard.text == "logged" and world.world.bench.calls() == []
        assert heard.job is not None and heard.job.saved_nano_usd is None
        assert heard.job.answered_by is not None and heard.job.answered_by.id == A


@pytest.mark.parametrize(
    ("request_", "response", "reason"),
    [
        (chat("x"), answer("half", "length"), "truncated_or_filtered"),
        (chat("x"), answer("", "content_filter"), "truncated_or_filtered"),
        (chat("x"), answer("", "tool_calls"), "tool_calls"),
        (chat("x"), answer("whole?", None), "incomplete"),
        (chat("x", stream=True), answer("x"), "streamed"),
        (chat("x", n=2), answer("x"), "choices"),
        (chat("x"), answer("x" * 2_000_000), "too_large"),
    ],
    ids=["cut", "filtered", "tools", "no reason", "streamed", "choices", "large"],
)
def test_a_logged_answer_is_held_to_the_same_rules(
    request_: dict[str, Any], response: dict[str, Any], reason: str
) -> None:
    @virtually
    async def run() -> None:
        async with Operations({A: TOLD}) as world:
            (line,) = await world.warm({"request": request_, "response": response})
            assert (line.outcome, line.reason) == ("skipped", reason)

    run()


@virtually
async def test_routes_that_do_not_cache_are_not_asked() -> None:
    async with Operations({A: TOLD}, CachePolicy()) as world:
        (line,) = await world.warm(chat("one"))
        assert line.reason == "off" and world.world.bench.calls() == []


@virtually
async def test_only_those_who_may_write_fill_it_and_only_so_much_at_once() -> None:
    async with Operations({A: TOLD}) as world:
        for role in ("agent", "developer", "viewer"):
            with pytest.raises(Forbidden):
                await world.warm(chat("one"), by=principal(role))
        with pytest.raises(InvalidRequest):
            await world.warm(*(chat("x") for _ in range(1001)))


@virtually
async def test_filling_that_is_cancelled_leaves_nothing_behind() -> None:
    async with Operations({A: TOLD}) as world:
        task = asyncio.create_task(world.warm(chat("one"), chat("two")))
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.wait([task])

        await world.world.settled()
        assert {event.outcome for event in world.world.events} == {"cancelled"}
