"""What a server and the process that writes its rows make of each other's failures, without a process."""

import asyncio
import logging
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from adapters.sql.usage_messages import (
    FORM,
    UP,
    NotWritten,
    Opening,
    Rows,
    Wanted,
    Written,
    decode_answer,
    decode_question,
    framed,
)
from adapters.sql.usage_messages import next_message as next_payload
from adapters.sql.usage_process import UsageProcess
from adapters.sql.usage_rows import UsageWriter
from adapters.sql.usage_served import ServedRows
from contracts.ports.usage import usage_event
from domain.analytics.event import RequestEvent
from domain.budgets.alerts import Alert
from domain.sla.measure import Scopes
from entrypoints.usage_writer_opening import write_rows

PATIENCE_S = 30.0
ALERT = Alert("b1:8000", "acme", 8000, {"budget_id": "b1"})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - it is seen from outside
            await asyncio.sleep(0.005)


class Kept(UsageWriter):
    """A writer that keeps what it is given, or fails."""

    apart = False

    def __init__(self, failure: Exception | None = None) -> None:
        self.rows: list[str] = []
        self.failure = failure

    async def insert(self, events: list[RequestEvent]) -> None:
        if self.failure is not None:
            raise self.failure
        self.rows += [each.request_id for each in events]

    async def make_durable(self) -> bool:
        return True


class Other:
    """Stands in for the process: its end of the line, and how long somebody waited before killing it."""

    def __init__(self) -> None:
        self.line: socket.socket | None = None
        self.waits: list[float] = []
        self.killed = False
        self.ends = True

    def start(self, theirs: socket.socket) -> "subprocess.Popen[bytes]":
        self.line = theirs.dup()
        return cast("subprocess.Popen[bytes]", self)

    def wait(self, timeout_s: float) -> int:
        self.waits.append(timeout_s)
        if not self.ends and not self.killed:
            raise subprocess.TimeoutExpired("writer", timeout_s)
        return 0

    def kill(self) -> None:
        self.killed = True
        if self.line is not None:
            self.line.close()

    async def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await until(lambda: self.line is not None)
        reader, writer = await asyncio.open_connection(sock=self.line)
        assert isinstance(decode_question(await next_payload(reader)), Opening)
        return reader, writer


@asynccontextmanager
async def linked(other: Other, own: Kept, **how: Any) -> AsyncIterator[tuple[UsageProcess, list[Alert]]]:
    alerts: list[Alert] = []
    process = UsageProcess(
        own,
        other.start,
        lambda: Opening("sqlite:////nowhere", 1, (), "text", "warning"),
        lambda: Wanted({}, Scopes()),
        alerts.extend,
        first_pause_s=PATIENCE_S,
        **how,
    )
    keeper = asyncio.create_task(process.run())
    try:
        yield process, alerts
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def test_nobody_is_asked_before_he_is_up() -> None:
    other, own = Other(), Kept()
    async with linked(other, own) as (process, _):
        _, writer = await other.streams()
        await process.insert([usage_event(1)])
        assert not process.apart
        assert len(own.rows) == 1

        writer.write(framed(Written(UP, [])))
        await until(lambda: process.apart)
        writer.close()


async def test_alerts_are_told_although_whoever_wrote_has_left() -> None:
    other = Other()
    async with linked(other, Kept()) as (process, alerts):
        reader, writer = await other.streams()
        writer.write(framed(Written(UP, [])))
        await until(lambda: process.apart)
        asking = asyncio.create_task(process.insert([usage_event(1)]))
        question = decode_question(await next_payload(reader))
        assert isinstance(question, Rows)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

        writer.write(framed(Written(question.number, [ALERT])))

        await until(lambda: alerts == [ALERT])
        writer.close()


async def test_those_who_leave_do_not_fill_the_memory_of_who_stays() -> None:
    other = Other()
    async with linked(other, Kept()) as (process, _):
        _, writer = await other.streams()
        writer.write(framed(Written(UP, [])))
        await until(lambda: process.apart)
        assert process._link is not None
        group = [usage_event(number) for number in range(2000)]
        sizes: list[int] = []
        for _ in range(5):
            asking = asyncio.create_task(process.insert(group))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asking, 0.2)
            sizes.append(process._link._writer.transport.get_write_buffer_size())

        assert sizes[0] > 0, "nobody reads: it waits here"
        assert sizes == [sizes[0]] * 5
        writer.close()


async def test_one_that_does_not_answer_is_killed_at_once() -> None:
    other, own = Other(), Kept()
    other.ends = False
    async with linked(other, own, answer_timeout_s=0.05) as (process, _):
        _, writer = await other.streams()
        writer.write(framed(Written(UP, [])))
        await until(lambda: process.apart)

        await process.insert([usage_event(1)])

        assert len(own.rows) == 1
        await until(lambda: other.killed)
        assert other.waits[0] == 0.0
        writer.close()


async def test_a_bug_there_is_told_and_the_rows_are_written_here(caplog: pytest.LogCaptureFixture) -> None:
    other, own = Other(), Kept()
    async with linked(other, own) as (process, _):
        reader, writer = await other.streams()
        served = ServedRows(Kept(KeyError("a bug")), [], lambda _wanted: None)
        serving = asyncio.create_task(served.run(reader, writer))
        await until(lambda: process.apart)

        with caplog.at_level(logging.WARNING):
            await process.insert([usage_event(1)])
            await process.insert([usage_event(2)])

        assert len(own.rows) == 2
        assert process.apart, "other rows may be understood"
        assert caplog.text.count("did not understand some: KeyError") == 1
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        writer.close()


async def test_another_version_is_refused_and_told(caplog: pytest.LogCaptureFixture) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(framed(Opening("sqlite:////nowhere", 1, (), "text", "warning", (*FORM, "one_more"))))
        await write_rows(theirs.fileno())
        refused = decode_answer(await next_payload(reader))
        writer.close()
    assert refused == NotWritten(UP, False, "it was started from files of another version", None)

    other = Other()
    async with linked(other, Kept()) as (process, _):
        _, theirs_writer = await other.streams()
        theirs_writer.write(framed(refused))
        await until(lambda: "cannot be used: it was started from files" in caplog.text)
        assert not process.apart
        theirs_writer.close()
