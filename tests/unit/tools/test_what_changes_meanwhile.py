"""Calls that wait while something else happens: their integration changes, time passes, callers leave."""

import asyncio
from dataclasses import replace

import pytest

from application.ports.connector import Connector
from application.tools.bulkhead import Bulkhead
from domain.connectors.integration import Integration, IntegrationState
from domain.errors import IntegrationUnavailable, ToolTimeout
from tests.unit.tools.world import World, hang


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_waited_for_a_place_does_not_run_in_what_was_changed_or_paused_meanwhile() -> None:
    world = World({"max_concurrency": 1})
    world.work = hang
    first = asyncio.ensure_future(world.run(1))
    await turns()
    second = asyncio.ensure_future(world.run(2))
    await turns()
    entry = world.book.all()[0]
    connector = entry.connector
    assert connector is not None

    world.book.use([replace(world.shop, state=IntegrationState.DISABLED, version=2)])
    first.cancel()

    with pytest.raises(IntegrationUnavailable) as refused:
        await second
    assert refused.value.retry_after_s is not None
    assert [call.parameters for call in connector.calls] == [{"n": 1}]  # type: ignore[attr-defined]
    assert (entry.bulkhead.busy, world.records.open) == (0, 0)


async def test_the_time_of_a_call_holds_while_its_integration_is_opened() -> None:
    world = World()

    async def never(integration: Integration) -> Connector:
        del integration
        await asyncio.Event().wait()
        raise AssertionError

    world.open = never  # type: ignore[method-assign]

    with pytest.raises(ToolTimeout):
        await world.run(1, timeout_s=0.05)

    assert (world.records.open, world.outcomes) == (0, ["refused"])


async def test_those_who_left_a_queue_leave_nothing_in_it() -> None:
    bulkhead = Bulkhead(at_once=1, waiting_max=2)
    await bulkhead.enter("it")

    for _ in range(50):
        leaver = asyncio.ensure_future(bulkhead.enter("it"))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)

    assert len(bulkhead._waiting) == 0
    bulkhead.leave()
    await bulkhead.enter("it")
    assert bulkhead.busy == 1
