"""Whoever leaves while a request waits to begin leaves nothing behind: no slot, no units, one record."""

import asyncio
from collections.abc import Awaitable

import msgspec

from adapters.wire.heads import DialectReader
from application.inspection import Inspector
from application.job import Attribution, Job
from application.limit_charge import LimitCharge
from application.rate_limits import RateLimits
from domain.analytics.event import RequestEvent
from domain.routing.requirements import Requirements
from domain.routing.target import Route
from tests.unit.application.upstreams import OK, Bench, virtually
from tests.unit.batch.world import BatchWorld, ask


class Waiting(Inspector, RateLimits):
    """Waits as a limit or as an inspector, and writes down what it is told of the end."""

    def __init__(self, *, where: str) -> None:
        self.where = where
        self.told: list[str] = []

    def admit(self, job: Job, route: Route) -> Awaitable[None] | None:
        if self.where != "limit":
            job.limited = LimitCharge((), [], -1)
            return None
        return asyncio.sleep(60)

    def request(self, job: Job, route: Route) -> Awaitable[None] | None:
        return asyncio.sleep(60) if self.where == "inspector" else None

    def ended(self, job: Job, event: RequestEvent) -> None:
        self.told.append("ended with units" if job.limited is not None else "ended without")

    def left(self, job: Job) -> None:
        self.told.append("left")


async def leave_while(where: str) -> tuple[BatchWorld, Waiting]:
    world, waiting = BatchWorld(Bench({"alpha/m": OK})), Waiting(where=where)
    world.pipeline._limits, world.pipeline._inspectors = waiting, (waiting,)
    request = DialectReader().read("openai.chat", msgspec.json.encode(ask()))
    begun = asyncio.create_task(world.pipeline.begin(world.by, request, Requirements(), Attribution()))
    await asyncio.sleep(1)
    assert world.pipeline.in_flight == 1
    begun.cancel()
    await asyncio.wait((begun,))
    assert begun.cancelled()
    return world, waiting


@virtually
async def test_whoever_leaves_while_a_limit_is_asked_took_nothing() -> None:
    world, waiting = await leave_while("limit")
    assert world.pipeline.in_flight == 0
    assert waiting.told == ["ended without"]
    assert [event.outcome for event in world.events] == ["cancelled"]


@virtually
async def test_whoever_leaves_while_it_is_looked_at_gets_its_units_corrected() -> None:
    world, waiting = await leave_while("inspector")
    assert world.pipeline.in_flight == 0
    assert waiting.told == ["ended with units"]
    assert [(event.outcome, event.status) for event in world.events] == [("cancelled", 499)]
