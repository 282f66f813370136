"""What is held and limited for money while requests share calls and answers."""

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.scripted_llm import Break, Script
from domain.budgets.output_limit import limited_further, with_max_output
from domain.budgets.posting import read_posting
from domain.llm.usage import Usage
from domain.routing.target import Route
from tests.unit.application.test_holds import USD, Purse, budget
from tests.unit.application.upstreams import Bench, virtually
from tests.unit.caching.caching_world import CachingBench

A, B = "alpha/m", "beta/m"
SLOW = Script(text="one two three four", latency_s=2.0, token_s=0.5, usage=Usage(100, 50))
CUT = replace(SLOW, broken=Break.CUT, broken_after=2)
WAYS = pytest.mark.parametrize("stream", [False, True])


def nothing_is_held(world: CachingBench, purse: Purse) -> None:
    assert not purse.board.holds and world.bench.holds is not None
    tenures = world.bench.holds.leases._tenures.values()
    assert not any(lease.held for tenure in tenures for lease in tenure.leases.values())


@WAYS
def test_one_poor_callers_limit_is_nobody_elses(stream: bool) -> None:
    @virtually
    async def run() -> None:
        purse = Purse(budget(2 * USD // 1000, agent="poor"), budget(10 * USD, name="all"))
        cut = replace(SLOW, tokens_max=2, finish_reason="length")
        world = CachingBench({A: [cut, SLOW]}, money=purse, clamp_to_budget=True)
        poor = asyncio.create_task(world.ask(stream=stream, who={"agent_id": "poor"}, max_tokens=4_000))
        await asyncio.sleep(0.5)
        rich = asyncio.create_task(world.ask(stream=stream, who={"agent_id": "rich"}, max_tokens=4_000))
        first, second = await poor, await rich
        assert first.job is not None and first.job.cut_to_budget and first.job.max_tokens_set
        assert second.text == SLOW.text and second.job is not None and second.job.max_tokens_set is None
        assert len(world.bench.calls()) == 2
        await world.settled()
        nothing_is_held(world, purse)

    run()


@WAYS
def test_an_answer_as_long_as_a_budget_let_it_be_is_not_kept_whatever_its_end_is_called(stream: bool) -> None:
    @virtually
    async def run() -> None:
        purse = Purse(budget(2 * USD // 1000, agent="poor"))
        world = CachingBench({A: replace(SLOW, usage=Usage(100, 5_000))}, money=purse, clamp_to_budget=True)
        await world.ask(stream=stream, who={"agent_id": "poor"}, max_tokens=4_000)
        assert not world.tiers.entries and world.cache.outcomes["not kept: truncated_or_filtered"] == 1
        await world.settled()

    run()


def test_a_routes_own_limit_is_no_cut() -> None:
    @virtually
    async def run() -> None:
        bench = Bench({A: SLOW})
        asked, target = bench.job().request, bench.route.targets[0].target
        route = Route(name="auto", targets=(), max_output_tokens=100)
        assert not limited_further(asked, asked, Route(name="auto", targets=()), target)
        assert not limited_further(with_max_output(asked, 100), asked, route, target)
        assert limited_further(with_max_output(asked, 60), asked, route, target)
        assert limited_further(with_max_output(asked, 60), asked, Route(name="auto", targets=()), target)

    run()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_every_hold_is_settled_by_the_row_of_its_attempt(seed: int) -> None:
    @virtually
    async def run() -> None:
        chance = random.Random(seed)
        purse = Purse(budget(10 * USD))
        scripts = [
            chance.choice(
                (SLOW, replace(SLOW, broken=Break.CUT, broken_after=2), replace(SLOW, latency_s=0.2))
            )
            for _ in range(30)
        ]
        world = CachingBench({A: scripts, B: scripts}, money=purse, retries=0)

        async def caller() -> None:
            await asyncio.sleep(chance.random() * 4)
            asking = asyncio.create_task(
                world.ask(chance.choice("ab"), stream=chance.random() < 0.6, max_tokens=64)
            )
            if chance.random() < 0.6:
                await asyncio.sleep(chance.random() * 3)
                asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

        await asyncio.gather(*(caller() for _ in range(10)))
        await world.settled()
        nothing_is_held(world, purse)
        rows = [row for event in world.events for row in event.attempts]
        assert len(rows) == len(world.bench.calls()) and all(row.ledger for row in rows)
        postings = [read_posting(row.attempt_id, row.ledger) for row in rows]
        assert len({posting.attempt_id for posting in postings}) == len(postings)

    run()
