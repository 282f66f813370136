"""The connector of databases on a real PostgreSQL: templates, free SQL, introspection, plans, streams."""

import asyncio
import csv
import gc
import io
import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.databases.row_formats import ARROW, CSV, JSON_LINES
from domain.errors import (
    InterchangeError,
    InvalidConfiguration,
    InvalidParameters,
    ToolFailed,
    ToolRefused,
    ToolTimeout,
)
from tests.contract.database_world import Database
from tests.contract.postgres_network import NetworkPostgres, network_postgres


@pytest.fixture
async def server() -> NetworkPostgres:
    return await asyncio.to_thread(network_postgres)


@pytest.fixture
async def database(server: NetworkPostgres) -> AsyncIterator[Database]:
    made = Database(server, await asyncio.to_thread(server.new_people))
    yield made
    await made.connector.aclose()


@pytest.fixture
async def free(server: NetworkPostgres) -> AsyncIterator[Database]:
    sql = {"enabled": True, "tables": ["people", "adults"]}
    made = Database(server, await asyncio.to_thread(server.new_people), free_sql=sql)
    yield made
    await made.connector.aclose()


async def test_a_row_a_value_and_rows_in_both_shapes(database: Database) -> None:
    assert (await database.ask("person", id=3))["row"] == {"id": 3, "name": "Zoë 🧾"}
    assert (await database.ask("person", id=99))["row"] is None
    assert await database.ask("how_many") == {"value": 3}
    assert await database.ask("people", ids=[1, 2]) == {
        "columns": [{"name": "id", "type": "int4"}, {"name": "name", "type": "text"}],
        "rows": [[1, "Ada"], [2, "Grace"]],
        "row_count": 2,
        "truncated": False,
    }
    objects = await database.ask("people", ids=[1, 2, 3], like="%a%", **{"as": "objects"})
    assert objects["rows"] == [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace"}]


async def test_writing_says_what_it_did(database: Database) -> None:
    assert await database.ask("rename", id=1, name="Ada L.") == {"rows_affected": 1}
    assert (await database.ask("add", id=4, name="Lin"))["row"] == {"id": 4, "name": "Lin"}
    assert await database.ask("how_many") == {"value": 4}
    with pytest.raises(ToolFailed, match="23505"):
        await database.ask("add", id=4, name="Again")


async def test_values_keep_what_they_mean(database: Database) -> None:
    given = {
        "at": "2026-02-28T23:59:59.123456+01:00",
        "day": "2024-02-29",
        "cost": "0.10000000000000000001",
        "data": {"a": [1, None, "ü"]},
        "raw": "AAEC/w==",
        "long": "P1Y2M3DT4H5M6.5S",
        "flag": True,
    }

    row = (await database.ask("echo", **given))["row"]

    assert row == given | {"at": "2026-02-28T22:59:59.123456Z", "long": "P1Y2M3DT14706.5S"}
    assert set((await database.ask("echo"))["row"].values()) == {None}


async def test_values_that_are_odd_are_still_json(database: Database) -> None:
    row = (await database.ask("odd"))["row"]

    assert row["a"] is None and row["b"] is None
    assert row["c"] == "infinity"
    assert row["d"] == "-4713-11-24"
    assert row["e"] == "[1,5)"
    assert row["f"].startswith("192.168.0.1")
    assert row["h"] == [1, None]
    assert row["i"] == "101"
    assert (row["id"], row["id_2"]) == (1, 2)
    assert row["t"] == "12:13:14.500000+02:00"
    assert row["big"] == 9007199254740993
    assert row["tiny"] == "0.00000000000000000001"
    assert row["long"] == "P2Y3DT14706.7S"
    assert row["u"] == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    assert row["late"] == "+10001-01-01T00:00:00"


@pytest.mark.parametrize(
    ("tool", "parameters", "param"),
    [
        ("echo", {"at": "yesterday"}, "parameters.at"),
        ("echo", {"cost": "much"}, "parameters.cost"),
        ("echo", {"raw": "not base64!"}, "parameters.raw"),
        ("echo", {"flag": "maybe"}, "parameters.flag"),
        ("person", {"id": 2**40}, "parameters.id"),
        ("person", {"id": "1 OR 1=1"}, "parameters.id"),
        ("person", {}, "parameters"),
        ("person", {"id": 1, "x": 2}, "parameters"),
        ("describe_table", {"table": "hidden"}, "parameters.table"),
        ("explain", {"query": "person", "parameters": {}}, "parameters.parameters"),
    ],
)
async def test_parameters_that_do_not_fit_are_named(
    database: Database, tool: str, parameters: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidParameters) as wrong:
        await database.ask(tool, **parameters)

    assert wrong.value.param == param


async def test_more_than_one_row_is_not_one_row(database: Database) -> None:
    with pytest.raises(ToolFailed, match="more than one"):
        await database.ask("everybody")


async def test_limits_of_a_query_cut_its_result_and_its_time(database: Database) -> None:
    cut = await database.ask("numbers", n=500)

    assert (cut["row_count"], cut["truncated"]) == (50, True)
    with pytest.raises(ToolTimeout):
        await database.ask("slow")


async def test_tables_are_listed_and_described_as_far_as_its_user_sees_them(database: Database) -> None:
    listed = await database.ask("list_tables")

    assert [(table["name"], table["kind"]) for table in listed["tables"]] == [
        ("adults", "view"),
        ("people", "table"),
    ]
    assert (await database.ask("list_tables", search="EOP"))["tables"][0]["comment"] == "Who there is"
    described = await database.ask("describe_table", table="public.people")
    assert described["columns"][1] == {
        "name": "name",
        "type": "text",
        "nullable": False,
        "key": False,
        "comment": "As they say it",
    }
    assert await database.ask("describe_table", table="People") == described


async def test_a_plan_is_told_for_a_query_by_its_name(database: Database) -> None:
    plan = await database.ask("explain", query="person", parameters={"id": 1})

    assert plan["format"] == "json"
    assert "Plan" in plan["plan"][0]
    with pytest.raises(InvalidParameters):
        await database.ask("explain", sql="SELECT 1")


async def test_free_sql_is_off_unless_it_is_switched_on(database: Database) -> None:
    assert "query" not in {tool.name for tool in database.connector.tools}


async def test_free_sql_reads_what_it_may(free: Database) -> None:
    found = await free.ask("query", sql="SELECT name FROM people WHERE id > 1 ORDER BY id", limit=1)

    assert found["rows"] == [["Grace"]]
    assert found["truncated"] is True
    assert (await free.ask("query", sql="SELECT count(*) AS n FROM adults"))["rows"] == [[3]]
    assert (await free.ask("explain", sql="SELECT * FROM people"))["plan"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM hidden",
        "DELETE FROM people",
        "SELECT 1; DELETE FROM people",
        "COMMIT; DROP TABLE people",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT U&\"pg_read_fil\\0065\"('/etc/passwd')",
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        "SELECT lo_create(0)",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_sleep(100)",
        "SELECT * FROM pg_catalog.pg_authid",
        "WITH gone AS (DELETE FROM people RETURNING id) SELECT * FROM gone",
        "EXPLAIN ANALYZE DELETE FROM people",
        "COPY people TO PROGRAM 'cat'",
        "DO $$ BEGIN DELETE FROM people; END $$",
        "SELECT * FROM dblink('host=127.0.0.1', 'SELECT 1') AS t(a int)",
    ],
)
async def test_free_sql_does_nothing_else(free: Database, sql: str) -> None:
    with pytest.raises((ToolRefused, ToolFailed)):
        await free.ask("query", sql=sql)

    assert await free.ask("how_many") == {"value": 3}


async def test_free_sql_shows_only_the_tables_it_may_name(server: NetworkPostgres) -> None:
    name = await asyncio.to_thread(server.new_people)
    made = Database(server, name, free_sql={"enabled": True, "tables": ["adults"]})

    listed = await made.ask("list_tables")

    assert [table["name"] for table in listed["tables"]] == ["adults"]
    await made.connector.aclose()


async def test_free_sql_that_may_write_says_so(server: NetworkPostgres) -> None:
    name = await asyncio.to_thread(server.new_people)
    made = Database(server, name, free_sql={"enabled": True, "tables": ["people"], "write": True})
    tool = next(tool for tool in made.connector.tools if tool.name == "query")

    assert (tool.read_only, tool.destructive, tool.streams) == (False, True, frozenset())
    assert await made.ask("query", sql="DELETE FROM people WHERE id = 1") == {"rows_affected": 1}
    assert (await made.ask("query", sql="SELECT count(*) AS n FROM people"))["rows"] == [[2]]
    await made.connector.aclose()


@pytest.mark.parametrize("user", ["boss", "reader"])
async def test_free_sql_is_not_for_somebody_powerful(server: NetworkPostgres, user: str) -> None:
    name = await asyncio.to_thread(server.new_people)
    made = Database(server, name, username=user, free_sql={"enabled": True})
    plainly = Database(server, name, username=user)

    with pytest.raises(InvalidConfiguration) as refused:
        await made.connector.check()

    assert refused.value.param == "authentication.username"
    assert (await plainly.connector.check())["user"] == user
    await made.connector.aclose()
    await plainly.connector.aclose()


async def test_a_result_is_streamed_in_three_formats(database: Database) -> None:
    table = list(csv.reader(io.StringIO((await database.streamed("numbers", CSV, n=3000)).decode())))
    lines = (await database.streamed("numbers", JSON_LINES, n=3000)).splitlines()
    arrow_bytes = await database.streamed("numbers", ARROW, n=3000)

    import pyarrow

    arrow: Any = pyarrow
    frame = arrow.ipc.open_stream(arrow.BufferReader(arrow_bytes)).read_all()
    assert table[0] == ["n", "pad"] and table[3000] == ["3000", "x" * 100]
    assert len(lines) == 3000 and json.loads(lines[41]) == {"n": 42, "pad": "x" * 100}
    assert frame.num_rows == 3000 and str(frame.schema.field("n").type) == "int64"
    assert frame.column("n").to_pylist() == list(range(1, 3001))


async def test_a_stream_without_rows_still_has_its_columns(database: Database) -> None:
    assert await database.streamed("numbers", CSV, n=0) == b"n,pad\r\n"
    assert await database.streamed("numbers", JSON_LINES, n=0) == b""
    assert await database.streamed("numbers", ARROW, n=0)


async def held_while_streaming(database: Database, rows: int) -> tuple[int, int]:
    """How much is held at most while so many rows come, and their size. Garbage is none of it: this process
    collects rarely."""
    gc.collect()  # what was there before is old from now on, and not looked at again with each part
    tracemalloc.start()
    try:
        stream = await database.connector.stream(database.call("numbers", {"n": rows}, 60.0), CSV)
        size, held = 0, 0
        while part := await stream.next_chunk():
            size += len(part)
            gc.collect(1)
            held = max(held, tracemalloc.get_traced_memory()[0])
        return held, size
    finally:
        tracemalloc.stop()


async def test_a_large_stream_needs_no_more_memory_than_a_small_one(database: Database) -> None:
    small, _ = await held_while_streaming(database, 2_000)
    large, size = await held_while_streaming(database, 16_000)

    assert size > 1_500_000
    # Rows as objects are several times their text: held together, they would be far above it.
    assert large < small + size / 2


async def test_a_stream_that_is_over_its_limit_is_cut_with_an_error(server: NetworkPostgres) -> None:
    name = await asyncio.to_thread(server.new_people)
    made = Database(server, name, free_sql={"enabled": True}, limits={"stream_rows": 100})

    with pytest.raises(ToolFailed):
        await made.streamed("query", CSV, sql="SELECT n FROM generate_series(1, 1000) AS s(n)")
    whole = await made.streamed("query", CSV, sql="SELECT n FROM generate_series(1, 1000) AS s(n)", limit=5)

    assert whole.count(b"\r\n") == 6
    await made.connector.aclose()


async def test_streams_are_only_of_what_can_be_streamed(database: Database) -> None:
    with pytest.raises(InvalidParameters):
        await database.streamed("how_many", CSV)
    with pytest.raises(InvalidParameters):
        await database.streamed("numbers", "text/html", n=1)


async def test_looking_again_sees_new_tables(database: Database) -> None:
    await database.ask("list_tables")
    await asyncio.to_thread(
        database.server.run_in, database.name, "CREATE TABLE fresh (id int); GRANT SELECT ON fresh TO agent"
    )

    assert await database.connector.discover() is False

    assert "fresh" in {table["name"] for table in (await database.ask("list_tables"))["tables"]}


async def test_a_template_whose_table_changed_is_prepared_anew(database: Database) -> None:
    for _ in range(4):
        await database.ask("person", id=1)
    await asyncio.to_thread(
        database.server.run_in,
        database.name,
        "DROP VIEW adults; ALTER TABLE people ALTER COLUMN id TYPE bigint",
    )

    for _ in range(4):
        try:
            assert (await database.ask("person", id=1))["row"] == {"id": 1, "name": "Ada"}
        except InterchangeError as error:
            pytest.fail(f"{error.code}: {error.message}")
