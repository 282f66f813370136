"""Binds the logs of erasures, and forgets users in real databases: nobody else's rows go."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from adapters.crypto.entry_seal import AesGcmEntrySeal
from adapters.memory.batches import InMemoryBatchJournals, InMemoryBatchStore
from adapters.memory.erasures import InMemoryErasureLog
from adapters.memory.files import InMemoryFileContents, InMemoryFileRecords
from adapters.memory.system import SteppingClock
from adapters.sql.answer_tables import stored_answers
from adapters.sql.erasures import SqlErasureLog
from adapters.sql.ledger_tables import budget_accounts, budgets, outbox
from adapters.sql.recordings import SqlRecordings
from adapters.sql.schema import api_keys, metadata, usage_requests
from adapters.sql.subject_sections import PAGE
from adapters.sql.subjects import SqlSubjectRows
from adapters.sql.webhook_tables import webhook_attempts, webhook_endpoints
from application.ports.subjects import ErasureLog
from application.use_cases.erase_user import CarryOutErasures
from contracts.ports.erasures import ErasureLogContract, erasure
from contracts.ports.recordings import PLENTY, recording
from domain.analytics.event import RequestEvent
from domain.privacy.erasure import ErasureState
from tests.contract.sql_world import AnySqlWorld
from tests.contract.test_audit_leaves import row

ALICE = "alice-77/a&%"
SEAL = AesGcmEntrySeal({"one": b"k" * 32})


class TestInMemoryErasureLog(ErasureLogContract):
    @pytest.fixture
    def store(self) -> ErasureLog:
        return InMemoryErasureLog()

    @pytest.fixture
    def unreachable_store(self) -> ErasureLog:
        store = InMemoryErasureLog()
        store.reachable = False
        return store


class TestSqlErasureLog(ErasureLogContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> ErasureLog:
        return SqlErasureLog(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> ErasureLog:
        sql.lose()
        return SqlErasureLog(sql.database)


def _filled(table: Any, **values: Any) -> dict[str, Any]:
    """A row with something in every column that needs it."""
    given = {}
    for column in table.columns:
        if column.name in values:
            given[column.name] = values[column.name]
        elif not column.nullable and column.server_default is None:
            kind = column.type.python_type
            given[column.name] = b"" if kind is bytes else kind()
    return given


_SAID = json.dumps({"user": ALICE})


def _seed(connection: Connection, tenant_id: str, prefix: str) -> None:
    scope = json.dumps({"scope": {"user": ALICE}})
    rows: list[tuple[Any, dict[str, Any]]] = [
        (stored_answers, {"id": f"{prefix}a", "user_id": ALICE, "content": ALICE.encode()}),
        (budgets, {"budget_id": f"{prefix}b", "name": f"of {ALICE}", "body": scope}),
        (
            budget_accounts,
            {
                "account_id": f"{prefix}acc",
                "budget_id": f"{prefix}b",
                "name": f"of {ALICE}",
                "subject": "user=alice-77/a%26%25&agent=x",
                "spent_nano_usd": 7,
            },
        ),
        (outbox, {"key": f"{prefix}o1", "payload": _SAID, "done_at_us": 1, "seq": ord(prefix)}),
        (webhook_endpoints, {"endpoint_id": f"wh_{prefix}"}),
        # What an endpoint answered is kept in the log, and many repeat what they were sent.
        (webhook_attempts, {"endpoint_id": f"wh_{prefix}", "seq": ord(prefix), "detail": f"got {_SAID}"}),
        (
            outbox,
            {"key": f"{prefix}o2", "payload": json.dumps({"subject": "user=alice-77/a%26%25&agent=x"})},
        ),
        (api_keys, {"key_id": f"{prefix}k", "name": ALICE, "assertable": json.dumps([f"user:{ALICE}"])}),
    ]
    for table, values in rows:
        connection.execute(insert(table), _filled(table, tenant_id=tenant_id, **values))
    _insert_events(
        connection,
        [
            row(number, tenant_id)._replace(
                request_id=f"{prefix}{number:05d}", user_id=ALICE if number % 2 else "bob", session_id="s"
            )
            for number in range(PAGE + 3)
        ],
    )


def _insert_events(connection: Connection, events: list[RequestEvent]) -> None:
    rows = [event._asdict() for event in events]
    for each in rows:
        del each["attempts"]
    connection.execute(insert(usage_requests), rows)


def _everything(connection: Connection, tenant_id: str) -> dict[str, list[Any]]:
    """All rows of a tenant, by table."""
    return {
        name: sorted(repr(tuple(found)) for found in connection.execute(_of(table, tenant_id)))
        for name, table in metadata.tables.items()
        if "tenant_id" in table.c
    }


def _of(table: Any, tenant_id: str) -> Any:
    return select(table).where(table.c.tenant_id == tenant_id)


class World:
    """Erasures in a real database."""

    def __init__(self, sql: AnySqlWorld) -> None:
        self.sql = sql
        self.clock = SteppingClock()
        self.forgotten: list[str] = []
        self.recordings = SqlRecordings(sql.database, SEAL)
        self.rows = SqlSubjectRows(sql.database, sql.database, self.recordings)
        self.log = SqlErasureLog(sql.database)

    def worker(self, log: ErasureLog | None = None) -> CarryOutErasures:
        return CarryOutErasures(
            log or self.log,
            self.rows,
            self.clock,
            files=InMemoryFileRecords(),
            contents=InMemoryFileContents(),
            batches=InMemoryBatchStore(),
            journals=InMemoryBatchJournals(),
            settle=self._settle,
            forget_kept=self._forget,
        )

    async def _settle(self) -> None:
        self.clock.advance(10)

    async def _forget(self, tenant_id: str) -> None:
        self.forgotten.append(tenant_id)

    async def seed(self) -> dict[str, list[Any]]:
        def work(connection: Connection) -> dict[str, list[Any]]:
            _seed(connection, "acme", "a")
            _seed(connection, "other", "o")
            return _everything(connection, "other")

        await self.recordings.put(
            [recording(f"req_{number}", user_id=ALICE) for number in range(3)], tenant_day_bytes_max=PLENTY
        )
        return await self.sql.database.write(work)

    def begun(self) -> Any:
        now_us = int(self.clock.utc_now().timestamp() * 1e6)
        return replace(erasure(user_id=ALICE), started_at_us=now_us, updated_at_us=now_us)


@pytest.fixture
def world(sql: AnySqlWorld) -> World:
    return World(sql)


def _check_nothing_left(found: dict[str, list[Any]]) -> None:
    left = {name: rows for name, rows in found.items() if any("alice-77" in each for each in rows)}
    assert left == {}


async def test_nothing_names_the_user_and_another_tenants_rows_are_as_they_were(world: World) -> None:
    others = await world.seed()
    await world.log.begin(world.begun())

    await world.worker().look()

    done = await world.log.get("acme", "erasure_1")
    assert done is not None
    assert (done.state, done.user_id) == (ErasureState.DONE, "")
    assert done.counts["recording"] == 3
    assert done.counts["request"] == (PAGE + 3) // 2
    assert world.forgotten == ["acme"]
    read = world.sql.database.read
    mine = await read(lambda connection: _everything(connection, "acme"))
    _check_nothing_left(mine)
    assert await read(lambda connection: _everything(connection, "other")) == others
    # Sums and counts stay.
    accounts = await read(lambda connection: connection.execute(_of(budget_accounts, "acme")).all())
    assert [(each.spent_nano_usd, each.subject) for each in accounts] == [(7, "user=erased_1&agent=x")]
    assert len(mine["usage_requests"]) == PAGE + 3
    keys = await read(lambda connection: connection.execute(_of(api_keys, "acme")).all())
    assert keys[0].revoked_by == "erasure"


class _Killed(Exception):
    pass


class _Mortal(SqlErasureLog):
    """Dies at the given save."""

    def __init__(self, sql: AnySqlWorld, saves: int) -> None:
        super().__init__(sql.database)
        self._saves = saves

    async def save(self, erasure: Any, *, until_us: int) -> None:
        self._saves -= 1
        if self._saves < 0:
            raise _Killed
        await super().save(erasure, until_us=until_us)


@pytest.mark.parametrize("saves", [0, 2, 6, 14, 20])
async def test_another_process_goes_on_where_one_was_killed(world: World, saves: int) -> None:
    others = await world.seed()
    await world.log.begin(world.begun())
    with pytest.raises(_Killed):
        await world.worker(_Mortal(world.sql, saves)).look()
    world.clock.advance(120)

    await world.worker().look()

    done = await world.log.get("acme", "erasure_1")
    assert done is not None
    assert done.state is ErasureState.DONE
    read = world.sql.database.read
    _check_nothing_left(await read(lambda connection: _everything(connection, "acme")))
    assert await read(lambda connection: _everything(connection, "other")) == others


async def test_rows_that_arrive_during_the_first_pass_are_caught_by_the_second(world: World) -> None:
    await world.seed()
    await world.log.begin(world.begun())
    worker = world.worker()

    async def late(tenant_id: str) -> None:
        event = row(9_999, tenant_id)._replace(request_id="late", user_id=ALICE)
        await world.sql.database.write(lambda connection: _insert_events(connection, [event]))

    worker._forget_kept = late

    await worker.look()

    _check_nothing_left(await world.sql.database.read(lambda connection: _everything(connection, "acme")))
