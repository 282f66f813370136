"""An export that is being sent: its reader may leave, be slow, or see the store go away."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from adapters.memory.usage import InMemoryUsageLog
from adapters.memory.usage_rows import InMemoryUsageRows
from adapters.tables.formats import KnownTableFormats
from application.use_cases.export_usage import EXPORTS_MAX, ExportUsage
from contracts.ports.usage import usage_event
from domain.errors import Overloaded, StoreUnavailable
from domain.tenancy.role import local_operator
from entrypoints.http import usage
from entrypoints.http.asgi import AnswerCutOff
from entrypoints.http.usage import download, read_wish

ASKED = read_wish(QueryParams("format=csv&level=requests"))


class World:
    def __init__(self) -> None:
        self.log = InMemoryUsageLog()
        for number in range(1200):
            self.log.record(usage_event(number))
        self.export = ExportUsage(self.log, InMemoryUsageRows(self.log), KnownTableFormats())
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def is_free(self) -> bool:
        """Whether as many exports as ever can run at once."""
        async with AsyncExitStack() as stack:
            try:
                for _ in range(EXPORTS_MAX):
                    await stack.enter_async_context(self.export.open(local_operator(), ASKED))
            except Overloaded:
                return False
            return True


async def test_a_whole_file_has_an_end() -> None:
    world, said = World(), []

    async def send(message: Any) -> None:
        said.append(message)

    answer = await download(world.export, local_operator(), ASKED)
    await answer({"type": "http"}, world.receive, send)

    assert b"".join(message.get("body", b"") for message in said).count(b"\r\n") == 1201
    assert [message.get("more_body") for message in said][-2:] == [True, False]
    assert (b"content-disposition", b'attachment; filename="usage-requests.csv"') in said[0]["headers"]


async def test_an_export_ends_when_its_reader_leaves() -> None:
    world = World()

    async def send(message: Any) -> None:
        world.left.set()
        await asyncio.Event().wait()

    for _ in range(EXPORTS_MAX + 1):
        answer = await download(world.export, local_operator(), ASKED)
        await answer({"type": "http"}, world.receive, send)

    assert await world.is_free()


async def test_a_reader_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(usage, "SEND_TIMEOUT_S", 0.02)

    async def send(message: Any) -> None:
        await asyncio.Event().wait()

    answer = await download(world.export, local_operator(), ASKED)
    with pytest.raises(AnswerCutOff):
        await answer({"type": "http"}, world.receive, send)

    monkeypatch.undo()
    assert await world.is_free()


async def test_a_file_that_could_not_be_finished_has_no_end() -> None:
    world, said = World(), []

    async def send(message: Any) -> None:
        said.append(message)
        world.log.reachable = False

    answer = await download(world.export, local_operator(), ASKED)
    with pytest.raises(AnswerCutOff):
        await answer({"type": "http"}, world.receive, send)

    assert said[-1]["more_body"] is True


async def test_a_store_that_is_away_is_an_error_and_no_file() -> None:
    world = World()
    world.log.reachable = False

    for _ in range(EXPORTS_MAX + 1):
        with pytest.raises(StoreUnavailable):
            await download(world.export, local_operator(), ASKED)
