"""What only a server can do to us: stand still, restart, refuse, and be asked by many at once."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from adapters.sql.partitions import PARTITIONED, ensure_partitions, index_online, partitions_of
from adapters.sql.postgres import PostgresDatabase, open_async_engine
from adapters.sql.schema import SCHEMA_HEAD, metadata
from adapters.sql.upgrade import MIGRATIONS, current, downgrade, upgrade
from adapters.sql.usage_rows import SqlUsageWriter
from contracts.ports.usage import usage_event
from domain.errors import InvalidRequest, StoreUnavailable
from tests.contract.postgres_server import PostgresServer, postgres_server
from tests.contract.sql_world import PostgresWorld

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def world() -> AsyncIterator[PostgresWorld]:
    world = PostgresWorld()
    yield world
    await world.aclose()


def somebody_waits(connection: Connection) -> bool:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
    return int(connection.execute(waiting).scalar_one()) > 0


def one(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


async def test_a_server_that_stands_still_keeps_nobody_waiting_long(world: PostgresWorld) -> None:
    impatient = world.another(timeout_s=0.3)
    assert await impatient.read(one) == 1
    world.server.pause()
    try:
        calls = [impatient.read(one), *(impatient.write(one) for _ in range(8))]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(answer) for answer in answers} == {StoreUnavailable}
    finally:
        world.server.go_on()

    assert await impatient.read(one) == 1
    await impatient.aclose()


async def test_a_server_that_restarted_is_used_at_once(world: PostgresWorld) -> None:
    await asyncio.gather(*(world.database.read(one) for _ in range(4)))
    await asyncio.to_thread(world.server.restart)

    assert await asyncio.gather(*(world.database.read(one) for _ in range(8))) == [1] * 8


async def test_work_that_broke_in_the_middle_runs_again_from_the_start(world: PostgresWorld) -> None:
    runs: list[int] = []

    def work(connection: Connection) -> int:
        runs.append(1)
        mine = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        if len(runs) == 1:
            world.server.run(f"SELECT pg_terminate_backend({mine})")
        return one(connection)

    assert await world.database.write(work) == 1
    assert len(runs) == 2


async def test_more_callers_than_may_wait_are_refused(world: PostgresWorld) -> None:
    narrow = PostgresDatabase(world.url, connections_max=1, timeout_s=5, waiting_max=2)
    calls = [asyncio.create_task(narrow.read(one)) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(StoreUnavailable, match="overloaded"):
        await narrow.read(one)

    assert await asyncio.gather(*calls) == [1, 1]
    await narrow.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await narrow.read(one)


async def test_a_commit_waits_for_the_disk_and_statements_end(world: PostgresWorld) -> None:
    names = ("synchronous_commit", "statement_timeout", "lock_timeout", "application_name", "timezone")
    database = world.another(timeout_s=7.0)
    found = await database.read(lambda c: [c.execute(text(f"SHOW {name}")).scalar_one() for name in names])
    await database.aclose()

    assert found == ["on", "7s", "5s", "interchange", "UTC"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://u:secret@127.0.0.1:1/x", "refused|cannot be used"),
        ("postgresql://u:secret@{socket}/no_such_database", "does not exist"),
        ("postgresql://nobody:secret@{socket}/postgres", "does not exist|cannot be used"),
    ],
)
async def test_an_address_that_does_not_work_is_told_without_the_password(url: str, told: str) -> None:
    directory = postgres_server().directory
    path = url.rpartition("/")[2]
    whole = url.replace(f"{{socket}}/{path}", f"/{path}?host={directory}")
    database = PostgresDatabase(whole, timeout_s=2)

    with pytest.raises(StoreUnavailable, match=told) as refused:
        await database.read(one)

    assert "secret" not in refused.value.message
    await database.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///x",
        "postgresql://h",
        "postgresql://h:port/x",
        "postgresql://h/x?sslmode=perhaps",
        "postgresql://h/x?connect_timeout=soon",
    ],
)
def test_a_url_that_cannot_work_is_refused_before_anything_is_tried(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        PostgresDatabase(url)

    assert refused.value.param == "DATABASE_URL"


async def test_rows_that_another_instance_wrote_at_the_same_time_are_left_alone(world: PostgresWorld) -> None:
    events = [usage_event(number, tries=2) for number in range(200)]
    another = world.another()

    await asyncio.gather(*(SqlUsageWriter(one).insert(events) for one in (world.database, another)))

    await another.aclose()

    def counted(connection: Connection) -> tuple[int, ...]:
        tables = ("usage_requests", "usage_attempts")
        return tuple(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables)

    assert await world.database.read(counted) == (200, 400)


async def test_a_row_that_was_on_its_way_while_its_part_was_made_goes_there(world: PostgresWorld) -> None:
    def table(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE odd (x int) PARTITION BY RANGE (x)"))
        connection.execute(text("CREATE TABLE odd_default PARTITION OF odd DEFAULT"))

    def part(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE odd_5 (LIKE odd)"))
        connection.execute(text("ALTER TABLE odd ATTACH PARTITION odd_5 FOR VALUES FROM (5) TO (6)"))

    def row(connection: Connection) -> None:
        connection.execute(text("INSERT INTO odd VALUES (5)"))

    await world.database.write(table)
    engine = open_async_engine(world.url, connections_max=1, timeout_s=10.0)
    async with engine.connect() as making:
        await making.run_sync(part)
        writing = asyncio.create_task(world.database.write(row))
        for _ in range(300):
            if await world.database.read(somebody_waits):
                break
            await asyncio.sleep(0.02)
        await making.commit()
    await asyncio.wait_for(writing, 10)
    await engine.dispose()

    def counted(connection: Connection) -> int:
        return int(connection.execute(text("SELECT count(*) FROM odd_5")).scalar_one())

    assert await world.database.read(counted) == 1


async def test_a_broken_check_of_ours_is_told_at_once(world: PostgresWorld) -> None:
    def broken(connection: Connection) -> None:
        connection.execute(text("CREATE TEMP TABLE odd (x int CONSTRAINT small CHECK (x < 5))"))
        connection.execute(text("INSERT INTO odd VALUES (7)"))

    with pytest.raises(IntegrityError):
        await world.database.write(broken)


@pytest.fixture
def server() -> PostgresServer:
    return postgres_server()


def test_migrations_go_back_to_nothing_and_forward_again(server: PostgresServer) -> None:
    name = server.new_database()
    url = server.url(name)
    revisions = sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("0*.py"))

    assert upgrade(url)
    assert not upgrade(url)
    for revision in (*reversed(revisions[:-1]), "base"):
        assert downgrade(url, revision)
        assert current(url) == (None if revision == "base" else revision)
    assert upgrade(url)
    assert current(url) == SCHEMA_HEAD
    with pytest.raises(InvalidRequest, match="no revision"):
        downgrade(url, "0999")
    server.drop(name)


def test_instances_that_upgrade_together_do_not_disturb_each_other(server: PostgresServer) -> None:
    name = server.new_database()
    program = f"from adapters.sql.upgrade import upgrade; print(upgrade({server.url(name)!r}))"

    started = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(3)
    ]
    answers = sorted(process.communicate(timeout=60)[0] for process in started)

    assert answers == [b"False\n", b"False\n", b"True\n"]
    server.drop(name)


async def test_a_database_of_a_newer_version_is_refused(world: PostgresWorld) -> None:
    await world.database.write(
        lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")).rowcount
    )

    with pytest.raises(StoreUnavailable, match="a newer version"):
        upgrade(world.url)


@pytest.mark.filterwarnings("ignore:.*expression-based index")
async def test_migrations_arrive_at_exactly_the_tables_the_code_expects(world: PostgresWorld) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in metadata.tables

    def alike(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        # The end of a request is a column here and a sum on SQLite, under indexes of the same names.
        return (kind, name) not in {
            ("column", "finished_at_us"),
            ("index", "ix_usage_requests_finished"),
            ("index", "ix_usage_requests_tenant_finished"),
        }

    def compare(connection: Connection) -> list[object]:
        options = {"compare_type": True, "include_name": ours, "include_object": alike}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    assert await world.database.read(compare) == []


async def test_an_index_is_built_beside_running_writers_and_reaches_every_part(world: PostgresWorld) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    def build(connection: Connection) -> None:
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with context.begin_transaction(_per_migration=True):
            index_online(Operations(context), "ix_test", "usage_requests", "agent_id, started_at_us")

    now = datetime(2026, 3, 15, tzinfo=UTC)
    await world.database.write(lambda c: ensure_partitions(c, now), alone=False)
    engine = open_async_engine(world.url, connections_max=1, timeout_s=10)
    async with engine.connect() as connection:
        await connection.run_sync(build)
    await engine.dispose()

    valid = await world.database.read(
        lambda c: c.execute(
            text(
                "SELECT count(*) FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid"
                " WHERE i.inhparent = 'ix_test'::regclass AND x.indisvalid"
            )
        ).scalar_one()
    )
    parts = await world.database.read(lambda c: len(partitions_of(c, "usage_requests")))
    assert valid == parts == 6


async def test_text_is_ordered_by_its_bytes_and_big_tables_are_partitioned(world: PostgresWorld) -> None:
    def look(connection: Connection) -> tuple[list[str], set[str]]:
        other = connection.execute(
            text(
                "SELECT attrelid::regclass || '.' || attname FROM pg_attribute"
                " JOIN pg_class c ON c.oid = attrelid"
                " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0"
                " AND NOT attisdropped AND atttypid = 'text'::regtype"
                " AND attcollation <> '\"C\"'::regcollation"
            )
        )
        parted = connection.execute(text("SELECT partrelid::regclass::text FROM pg_partitioned_table"))
        return list(other.scalars()), set(parted.scalars())

    other, parted = await world.database.read(look)

    assert other == []
    assert parted == {table.name for table in PARTITIONED}
