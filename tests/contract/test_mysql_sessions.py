"""What MySQL and MariaDB alone have: what writing leaves in a session, TLS, types, what is left running."""

import asyncio
import datetime
import decimal
from collections.abc import AsyncIterator

import pytest
import uvloop

from adapters.databases.destination import TlsMode
from application.ports.database_engine import Statement
from contracts.ports.database_engine import ALL_PEOPLE, PEOPLE, PLENTY, SHORT, Leak, becomes
from domain.errors import (
    IntegrationUnavailable,
    InterchangeError,
    InvalidConfiguration,
    ToolFailed,
    ToolRefused,
)
from tests.contract.mariadb_server import mariadb_server
from tests.contract.mysql_world import SPOILS, AnyAddress, MySqlWorld

WORKING = "SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b WHERE a.seq * b.seq < 0"


@pytest.fixture
async def world() -> AsyncIterator[MySqlWorld]:
    made = MySqlWorld(mariadb_server())
    yield made
    await made.aclose()


async def _seen(world: MySqlWorld, probe: str) -> object:
    try:
        found = await world.engines[0].read(Statement(probe, {}), PLENTY)
    except InterchangeError as error:
        return error.message
    return [tuple(row) for row in found.rows]


@pytest.mark.parametrize("leak", SPOILS, ids=lambda leak: leak.spoil[:40])
async def test_what_writing_does_to_its_session_is_undone(world: MySqlWorld, leak: Leak) -> None:
    engine = world.engine(places=1)
    before = await _seen(world, leak.probe)

    await engine.write(Statement(leak.spoil, {}), PLENTY)

    assert await _seen(world, leak.probe) == before
    assert engine.figures().open == 1


async def test_a_value_keeps_its_type(world: MySqlWorld) -> None:
    values = {
        "none": None,
        "yes": True,
        "number": -(2**62),
        "half": 0.5,
        "text": "a'b\\c\x00ü🧾%s",
        "empty": "",
        "data": b"\x00\xff'",
        "exact": decimal.Decimal("12345678901234567890.123"),
    }
    places = ", ".join(f":{name}" for name in values)

    found = await world.engine().read(Statement(f"SELECT {places}, :exact + 0.0", values), PLENTY)

    row = found.rows[0]
    assert list(row[:-2]) == [None, 1, -(2**62), 0.5, "a'b\\c\x00ü🧾%s", "", b"\x00\xff'"]
    assert row[-2] == "12345678901234567890.123"


async def test_columns_tell_their_types(world: MySqlWorld) -> None:
    found = await world.engine().read(
        Statement(
            "SELECT 1, 1.5, 1.5e0, 'x', X'00', CAST('2026-11-21' AS DATE), CAST('10:00' AS TIME), NOW(), "
            "CAST(2 AS UNSIGNED) + 1, b'101'",
            {},
        ),
        PLENTY,
    )

    assert list(found.types) == [
        "int", "decimal", "double", "varchar", "varbinary", "date", "time", "datetime", "int unsigned",
        "varbinary",
    ]  # fmt: skip
    assert found.rows[0][5] == datetime.date(2026, 11, 21)
    assert found.rows[0][6] == "10:00:00"


async def test_the_session_is_in_utc_whatever_the_server_is_in(world: MySqlWorld) -> None:
    found = await world.engine().read(
        Statement("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())", {}), PLENTY
    )

    assert abs(found.rows[0][0]) <= 1


async def test_a_query_that_computes_is_killed_and_not_left_behind(world: MySqlWorld) -> None:
    engine = world.engine()

    async def works() -> bool:
        return bool(
            world.server.run(f"SELECT 1 FROM information_schema.processlist WHERE info = '{WORKING}'")
        )

    async def works_not() -> bool:
        return not await works()

    task = asyncio.create_task(engine.read(Statement(WORKING, {}), PLENTY))
    assert await becomes(works)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await becomes(works_not)

    with pytest.raises(TimeoutError):
        await engine.read(Statement(WORKING, {}), SHORT)
    assert await becomes(works_not)


async def test_a_write_that_is_cancelled_is_undone(world: MySqlWorld) -> None:
    engine = world.engine()
    slow = Statement("UPDATE people SET name = 'x' WHERE id = 1 OR SLEEP(40)", {})
    task = asyncio.create_task(engine.write(slow, PLENTY))

    async def works() -> bool:
        rows = world.server.run(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE%'"
        )
        return bool(rows[0][0])

    assert await becomes(works)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    async def undone() -> bool:
        return not await works()

    assert await becomes(undone)
    assert [tuple(row) for row in (await engine.read(ALL_PEOPLE, PLENTY)).rows] == list(PEOPLE)


async def test_waiting_for_a_lock_ends_with_the_time(world: MySqlWorld) -> None:
    engine = world.engine()
    with world.server.connected(world.database) as other:
        other.execute("START TRANSACTION")
        other.execute("UPDATE people SET name = 'held' WHERE id = 1")
        with pytest.raises(TimeoutError):
            await engine.write(Statement("UPDATE people SET name = 'x' WHERE id = 1", {}), SHORT)
        other.execute("ROLLBACK")

    assert [tuple(row) for row in (await engine.read(ALL_PEOPLE, PLENTY)).rows] == list(PEOPLE)


async def test_one_value_larger_than_the_whole_limit_is_not_taken_into_memory(world: MySqlWorld) -> None:
    engine = world.engine()
    huge = Statement("SELECT REPEAT('x', 8000000)", {})

    with pytest.raises(ToolFailed, match="ask for less"):
        await engine.read(huge, PLENTY._replace(bytes=100_000))

    assert len((await engine.read(ALL_PEOPLE, PLENTY)).rows) == len(PEOPLE)


async def test_what_a_procedure_returns_is_passed_on_when_it_is_one_result(world: MySqlWorld) -> None:
    engine = world.engine()

    changed = await engine.write(Statement("CALL one_result()", {}), PLENTY)

    assert changed.returned is not None
    assert [tuple(row) for row in changed.returned.rows] == list(PEOPLE)
    with pytest.raises(ToolFailed, match="more than one result"):
        await engine.write(Statement("CALL several()", {}), PLENTY)
    with pytest.raises(ToolRefused):
        await engine.read(Statement("CALL one_result()", {}), PLENTY)


async def test_rows_returned_by_a_write_come_with_it(world: MySqlWorld) -> None:
    engine = world.engine()
    insert = Statement("INSERT INTO people VALUES (:id, :name) RETURNING id, name", {"id": 9, "name": "Lin"})

    changed = await engine.write(insert, PLENTY)

    assert changed.returned is not None
    assert [tuple(row) for row in changed.returned.rows] == [(9, "Lin")]


async def test_a_write_that_returns_too_much_changes_nothing(world: MySqlWorld) -> None:
    engine = world.engine()

    with pytest.raises(ToolFailed, match="nothing was changed"):
        await engine.write(Statement("DELETE FROM people RETURNING id", {}), PLENTY._replace(rows=2))

    assert len((await engine.read(ALL_PEOPLE, PLENTY)).rows) == len(PEOPLE)


class TestTls:
    async def test_the_name_is_checked_though_the_address_is_connected_to(self, world: MySqlWorld) -> None:
        pem = world.server.authority.cert_pem.bytes().decode()
        engine = world.engine(tls=TlsMode.VERIFY_FULL, ca_pem=pem, host="db.example.com")

        found = await engine.read(Statement("SHOW STATUS LIKE 'Ssl_cipher'", {}), PLENTY)

        assert found.rows[0][1]
        cursor = await engine.open_cursor(
            Statement("SELECT REPEAT('x', 100000) FROM seq_1_to_100", {}), PLENTY._replace(bytes=1 << 30)
        )
        sizes = [len(row[0]) async for batch in cursor.batches() for row in batch]
        assert sizes == [100_000] * 100

    async def test_another_name_is_refused(self, world: MySqlWorld) -> None:
        pem = world.server.authority.cert_pem.bytes().decode()
        engine = world.engine(tls=TlsMode.VERIFY_FULL, ca_pem=pem, host="other.example.com")

        with pytest.raises(IntegrationUnavailable, match="no TLS"):
            await engine.read(ALL_PEOPLE, PLENTY)

    async def test_an_unknown_authority_is_refused_and_require_takes_it(self, world: MySqlWorld) -> None:
        with pytest.raises(IntegrationUnavailable, match="no TLS"):
            await world.engine(tls=TlsMode.VERIFY_FULL, host="db.example.com").read(ALL_PEOPLE, PLENTY)

        found = await world.engine(tls=TlsMode.REQUIRE, host="db.example.com").read(
            Statement("SHOW STATUS LIKE 'Ssl_cipher'", {}), PLENTY
        )
        assert found.rows[0][1]


async def test_the_guard_is_asked_before_every_connection_and_its_addresses_are_tried_in_turn(
    world: MySqlWorld,
) -> None:
    guard = AnyAddress("127.0.0.2", "127.0.0.1")
    engine = world.engine(guard=guard)

    await asyncio.gather(*(engine.read(ALL_PEOPLE, PLENTY) for _ in range(2)))

    assert guard.asked == engine.figures().open


async def test_what_is_idle_is_closed_in_time(world: MySqlWorld) -> None:
    engine = world.engine(idle_s=0.1)
    await engine.read(ALL_PEOPLE, PLENTY)

    async def closed() -> bool:
        return engine.figures().open == 0

    assert await becomes(closed)


async def test_whoever_finds_too_many_waiting_is_told_at_once(world: MySqlWorld) -> None:
    engine = world.engine(places=1, waiting_max=1)
    slow = [asyncio.create_task(engine.read(Statement("SELECT SLEEP(0.2)", {}), PLENTY)) for _ in range(2)]
    await asyncio.sleep(0.05)

    with pytest.raises(IntegrationUnavailable, match="busy"):
        await engine.read(ALL_PEOPLE, PLENTY)

    await asyncio.gather(*slow)


def test_tls_works_on_the_loop_that_servers_run_on() -> None:
    async def read() -> object:
        world = MySqlWorld(mariadb_server())
        pem = world.server.authority.cert_pem.bytes().decode()
        engine = world.engine(tls=TlsMode.VERIFY_FULL, ca_pem=pem, host="db.example.com")
        try:
            wide = Statement("SELECT REPEAT('x', 3000000) FROM seq_1_to_3", {})
            return [len(row[0]) for row in (await engine.read(wide, PLENTY._replace(bytes=1 << 24))).rows]
        finally:
            await world.aclose()

    assert uvloop.run(read()) == [3_000_000] * 3


@pytest.mark.parametrize(
    ("grant", "problem"),
    [("FILE", "FILE"), ("PROCESS", "PROCESS"), ("SUPER", "SUPER"), ("CREATE USER", "CREATE USER")],
)
async def test_a_user_who_may_do_more_than_sql_shows_is_refused(
    world: MySqlWorld, grant: str, problem: str
) -> None:
    world.server.run(f"GRANT {grant} ON *.* TO role_{world.user}")

    with pytest.raises(InvalidConfiguration, match=problem):
        await world.engine().check(must_be_harmless=True)
    assert (await world.engine().check(must_be_harmless=False))["product"] == "MariaDB"
