"""Usage rows written by a process of their own, on both databases."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.sql.outbox import SqlOutbox
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_messages import Opening, Wanted
from adapters.sql.usage_process import UsageProcess
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.usage_rows import SqlUsageWriter, UsageWriter
from application.events.interest import Interest
from application.ports.usage_query import UsageFilter
from contracts.ports.ledger_world import USD
from contracts.ports.usage import UsageLogContract, UsageWorld, usage_event
from domain.analytics.event import RequestEvent
from domain.budgets.alerts import Alert
from domain.errors import StoreUnavailable
from domain.events import REQUEST_COMPLETED
from domain.sla.measure import Scopes
from entrypoints.usage_writer_opening import usage_process
from tests.contract.emptying import empty
from tests.contract.sql_world import AnySqlWorld, PostgresWorld, SqlWorld
from tests.contract.test_ledger_postings import SOFT, Desk, row

PATIENCE_S = 30.0

# Most of what a process costs is its start, so most tests share one and its database, emptied: in one loop.
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:.*but it is not an async function"),
]
together = partial(pytest_asyncio.fixture, loop_scope="module")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - it is seen from outside
            await asyncio.sleep(0.01)


class CountingWriter(UsageWriter):
    """This process's own writer, which tells what it was given."""

    apart = False

    def __init__(self, inner: UsageWriter) -> None:
        self.inner = inner
        self.rows = 0

    async def insert(self, events: list[RequestEvent]) -> None:
        self.rows += len(events)
        await self.inner.insert(events)

    async def make_durable(self) -> bool:
        return await self.inner.make_durable()


class Desktop:
    """A writer apart, and the one here."""

    def __init__(self, sql: AnySqlWorld) -> None:
        self.sql = sql
        self.own = CountingWriter(SqlUsageWriter(sql.database))
        self.interest = Interest()
        self.scopes = Scopes()
        self.alerts: list[Alert] = []
        opening = Opening(sql.url, 2, (), "text", "warning")
        self.writer: UsageProcess = usage_process(
            self.own, opening, self.interest, lambda: self.scopes, self.alerts.extend
        )
        self.query = SqlUsageQuery(sql.database)

    async def written(self) -> int:
        return sum(total.requests for total in await self.query.totals(UsageFilter()))

    def forget(self) -> None:
        """What earlier tests did with it."""
        self.own.rows = 0
        self.alerts.clear()
        self.interest.know({})

    async def up(self) -> None:
        await until(lambda: self.writer.apart)

    def process(self) -> "subprocess.Popen[bytes]":
        link = self.writer._link
        assert link is not None
        return link._process


@asynccontextmanager
async def running(desktop: Desktop) -> AsyncIterator[Desktop]:
    keeper = asyncio.create_task(desktop.writer.run())
    try:
        await desktop.up()
        yield desktop
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await desktop.writer.aclose()


@together(scope="module", params=["sqlite", "postgres"])
async def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desktop]:
    lite = request.param == "sqlite"
    world: AnySqlWorld = SqlWorld(tmp_path_factory.mktemp("usage")) if lite else PostgresWorld()
    desktop = Desktop(world)
    desktop.writer._first_pause_s = 0.2  # it doubles each time that a test kills the process
    async with running(desktop):
        yield desktop
    await world.aclose()


@together()
async def sql(shared: Desktop) -> AnySqlWorld:
    empty(shared.sql)
    return shared.sql


@together()
async def desktop(sql: AnySqlWorld, shared: Desktop) -> Desktop:
    await shared.up()
    shared.forget()
    return shared


class ProcessWorld:
    def __init__(self, sql: AnySqlWorld, desktop: Desktop, log: JournaledUsageLog) -> None:
        self.log = log
        self.query = desktop.query
        self._sql, self._desktop = sql, desktop
        self.restore_database = sql.restore

    def lose_database(self) -> None:
        if isinstance(self._sql, SqlWorld):
            # A file that is moved away is still there for whoever has it open, so that one has to go, too.
            self._desktop.process().kill()
            self._desktop.process().wait()
        self._sql.lose()


class TestUsageLogWrittenApart(UsageLogContract):
    @together()
    async def world(self, sql: AnySqlWorld, desktop: Desktop, tmp_path: Path) -> AsyncIterator[UsageWorld]:
        log = JournaledUsageLog(desktop.writer, sql.thread, tmp_path / "journal")
        await log.start()
        yield ProcessWorld(sql, desktop, log)
        await log.aclose()

    @together()
    async def tiny_world(
        self, sql: AnySqlWorld, desktop: Desktop, tmp_path: Path
    ) -> AsyncIterator[UsageWorld]:
        log = JournaledUsageLog(
            *(desktop.writer, sql.thread, tmp_path / "journal"),
            queue_rows_max=4,
            write=lambda _descriptor, _data: -1,
        )
        await log.start()
        yield ProcessWorld(sql, desktop, log)
        await log.aclose()


async def test_the_process_writes_and_this_one_does_not(desktop: Desktop) -> None:
    events = [usage_event(number) for number in range(450)]

    await desktop.writer.insert(events)
    await desktop.writer.insert(events[:10])

    assert await desktop.written() == 450
    assert desktop.own.rows == 0
    assert await desktop.writer.make_durable() in (True, False)


async def test_a_process_that_is_killed_is_started_again_and_nothing_is_lost(desktop: Desktop) -> None:
    await desktop.writer.insert([usage_event(1)])
    first = desktop.process()

    first.kill()
    await desktop.writer.insert([usage_event(2)])
    await until(lambda: desktop.writer.apart and desktop.process().pid != first.pid)
    await desktop.writer.insert([usage_event(3)])

    assert await desktop.written() == 3
    assert desktop.own.rows == 1
    assert first.returncode == -signal.SIGKILL, "it was reaped"


async def test_a_process_that_stands_still_is_given_up(sql: AnySqlWorld) -> None:
    standing = Desktop(sql)
    standing.writer._answer_timeout_s = 0.5
    async with running(standing):
        stopped = standing.process()
        os.kill(stopped.pid, signal.SIGSTOP)
        await standing.writer.insert([usage_event(1)])
        await until(lambda: stopped.returncode == -signal.SIGKILL)

        assert standing.own.rows == 1
        assert await standing.written() == 1


async def test_rows_it_does_not_understand_are_written_here(desktop: Desktop) -> None:
    await desktop.writer.insert([usage_event(1)._replace(agent_id="half \ud800")])

    assert await desktop.written() == 1
    assert desktop.own.rows == 1
    assert desktop.writer.apart


async def test_values_that_no_column_holds_are_made_to_fit_there(desktop: Desktop) -> None:
    await desktop.writer.insert([usage_event(1)._replace(agent_id="a\0b", input_tokens=2**63)])

    assert await desktop.written() == 1
    assert desktop.own.rows == 0


async def test_it_learns_who_wants_events(desktop: Desktop, sql: AnySqlWorld) -> None:
    async def told() -> list[str]:
        found = await SqlOutbox(sql.database).waiting(limit=100)
        return [json.loads(each.payload)["request_id"] for each in found]

    nobody, somebody = (usage_event(number)._replace(tenant_id="acme") for number in range(2))
    desktop.interest.know({})
    await desktop.writer.insert([nobody])
    desktop.interest.know({"acme": frozenset({REQUEST_COMPLETED})})
    await desktop.writer.insert([somebody])

    assert await told() == [somebody.request_id]
    assert desktop.own.rows == 0


async def test_its_postings_tell_alerts_here(desktop: Desktop, sql: AnySqlWorld) -> None:
    desk = Desk(sql)
    await desk.lease(SOFT)

    await desktop.writer.insert([row(number, 3 * USD, SOFT) for number in range(3)])

    assert (await desk.state(SOFT)).spent_nano_usd == 9 * USD
    assert [alert.at_basis_points for alert in desktop.alerts] == [8000, 9000]
    assert desk.told == []


async def test_a_database_that_is_away_is_said(desktop: Desktop, sql: AnySqlWorld) -> None:
    if isinstance(sql, SqlWorld):
        pytest.skip("a file that is moved away is still there for whoever has it open")
    sql.lose()
    try:
        with pytest.raises(StoreUnavailable):
            await desktop.writer.insert([usage_event(1)])
    finally:
        sql.restore()
    await desktop.writer.insert([usage_event(1)])

    assert await desktop.written() == 1
    assert desktop.own.rows == 0
    assert desktop.writer.apart


async def test_it_ends_when_its_server_ends(sql: AnySqlWorld) -> None:
    desktop = Desktop(sql)
    async with running(desktop):
        process = desktop.process()

    assert process.returncode == 0
    await desktop.writer.insert([usage_event(1)])
    assert (desktop.own.rows, await desktop.written()) == (1, 1)


async def test_one_that_cannot_be_started_leaves_the_work_here(
    sql: AnySqlWorld, caplog: pytest.LogCaptureFixture
) -> None:
    def cannot(_socket: object) -> "subprocess.Popen[bytes]":
        raise OSError("no more processes")

    own = CountingWriter(SqlUsageWriter(sql.database))
    writer = UsageProcess(
        own,
        cannot,
        lambda: Opening(sql.url, 1, (), "text", "warning"),
        lambda: Wanted({}, Scopes()),
        lambda _alerts: None,
    )
    keeper = asyncio.create_task(writer.run())
    await until(lambda: "no more processes" in caplog.text)
    await writer.insert([usage_event(1)])
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)

    assert own.rows == 1
