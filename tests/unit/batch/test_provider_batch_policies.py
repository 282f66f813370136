"""A batch that was allowed to go to its provider, and was not handed over before policies changed."""

import asyncio
from collections.abc import Awaitable

from application.inspection import Inspector
from application.job import Job
from application.ports.http import BodySource
from application.ports.provider_batches import Marker
from domain.batch.batch import BatchStatus
from domain.errors import PiiBlocked
from domain.routing.target import Route, Target
from tests.unit.application.test_holds import Purse
from tests.unit.application.upstreams import virtually
from tests.unit.batch.test_batch_budgets import BOUND, budget, nothing_is_left
from tests.unit.batch.test_provider_batch_budgets import LINES, Api, hard_of, world_of
from tests.unit.batch.test_run_batch import run_for
from tests.unit.batch.world import ask


class Slow(Api):
    """Takes nothing while `away`; the process ends meanwhile."""

    away = True

    async def submit(self, target: Target, dialect: str, document: BodySource, marker: Marker) -> str:
        if self.away:
            await asyncio.sleep(1e6)
        return await super().submit(target, dialect, document, marker)


class Strict(Inspector):
    def request(self, job: Job, route: Route) -> Awaitable[None] | None:
        raise PiiBlocked("it holds what a new policy blocks")


@virtually
async def test_lines_are_held_against_the_policies_of_the_moment_before_they_are_handed_over_late() -> None:
    purse, api = Purse(budget(10 * BOUND)), Slow()
    world = world_of(purse, api)
    batch = await world.begin([ask(str(n)) for n in range(LINES)], mode="provider")
    await run_for(world, 5)
    assert (await world.now(batch)).answered_by
    world.pipeline._inspectors = (Strict(),)
    api.away = False
    await run_for(world, 60)
    done = await world.now(batch)
    assert not api.made
    assert done.status is BatchStatus.FAILED
    assert "a new policy blocks" in done.problems[0].message
    assert (hard_of(purse).spent, hard_of(purse).unresolved) == (0, 0)
    nothing_is_left(world, purse)


@virtually
async def test_a_batch_that_its_provider_has_already_is_found_again_whatever_policies_say_now() -> None:
    purse, api = Purse(budget(10 * BOUND)), Slow()
    world = world_of(purse, api)
    batch = await world.begin([ask(str(n)) for n in range(LINES)], mode="provider")
    await run_for(world, 5)
    api.made.append([f"{batch.batch_id}-{n}" for n in range(1, LINES + 1)])
    world.pipeline._inspectors = (Strict(),)
    await run_for(world, 5)
    assert (await world.now(batch)).provider_batch == "pb_1"
