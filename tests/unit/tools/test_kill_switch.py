"""A stop reaches calls of tools however they were made: with somebody who watches them, or nobody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from adapters.memory.function_tools import FunctionTools, MemoryStream
from application.job import Job
from application.tools.streams import EndingStream
from domain.connectors.tool import ToolCall
from domain.errors import AgentStopped, InterchangeError
from domain.routing.target import Route
from tests.unit.tools.world import World, caller, hang

WITHIN_S = 5.0


class Caught(World):
    """Keeps the job of the call, as the registry of running ones does."""

    job: Job | None = None

    def catch(self) -> None:
        stops = self.records.stops

        def caught(job: Job, route: Route) -> None:
            self.job = job
            stops(job, route)

        self.records.stops = caught  # type: ignore[method-assign]

    async def stop(self, error: InterchangeError) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        assert self.job is not None
        assert self.job.halt is not None
        self.job.halt(error)


@pytest.mark.parametrize("way", ["execute", "stream", "upload"])
async def test_a_call_that_nobody_watches_ends_with_the_stop(way: str) -> None:
    world = Caught(takes_body=True, streams=frozenset({"text/csv"}))
    world.catch()
    world.work = hang
    asked, by = world.asked(1), caller()
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "execute": lambda: world.execute.execute(by, asked, request_id="req_1"),
        "stream": lambda: world.execute.stream(by, asked, "text/csv", request_id="req_1"),
        "upload": lambda: world.execute.upload(by, asked, hanging(), None, request_id="req_1"),
    }
    running = asyncio.ensure_future(calls[way]())

    await world.stop(AgentStopped("stopped"))

    with pytest.raises(AgentStopped):
        await asyncio.wait_for(running, WITHIN_S)
    entry = world.book.all()[0]
    assert (world.records.open, entry.bulkhead.busy, len(world.records.events)) == (0, 0, 1)


async def hanging() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def test_a_stream_that_flows_is_cut_by_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(MemoryStream):
        async def next_chunk(self) -> bytes:
            await asyncio.Event().wait()
            return b""

    endless = Endless("text/csv", [])

    async def opened(self: FunctionTools, call: ToolCall, content_type: str) -> MemoryStream:
        return endless

    monkeypatch.setattr(FunctionTools, "stream", opened)
    world = Caught(streams=frozenset({"text/csv"}))
    world.catch()
    stream = await world.execute.stream(caller(), world.asked(1), "text/csv", request_id="req_1")
    assert isinstance(stream, EndingStream)
    reading = asyncio.ensure_future(stream.next_chunk())

    await world.stop(AgentStopped("stopped"))

    with pytest.raises(AgentStopped):
        await asyncio.wait_for(reading, WITHIN_S)
    assert endless.closed
    assert (world.records.open, world.outcomes) == (0, ["cut"])


async def test_a_stop_between_two_pieces_strikes_at_the_next() -> None:
    world = Caught(streams=frozenset({"text/csv"}))
    world.catch()
    stream = await world.execute.stream(caller(), world.asked(1), "text/csv", request_id="req_1")

    await world.stop(AgentStopped("stopped"))

    with pytest.raises(AgentStopped):
        await stream.next_chunk()
    assert (world.records.open, world.outcomes) == (0, ["cut"])
