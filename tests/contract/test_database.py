"""What every store may rely on, whichever database it works on."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, func, insert, select, text

from adapters.sql.database import REFUSED_VALUES, Database
from adapters.sql.upserts import insert_into
from domain.errors import StoreUnavailable
from tests.contract.sql_world import AnySqlWorld

notes = Table(
    "notes",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("words", Text, nullable=False, server_default=""),
)


@pytest.fixture
async def database(sql: AnySqlWorld) -> Database:
    await sql.database.write(notes.create)
    return sql.database


@pytest.fixture
async def second(sql: AnySqlWorld) -> AsyncIterator[Database]:
    another = sql.another()
    yield another
    await another.aclose()


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(notes)).scalar_one())


def append(connection: Connection) -> None:
    highest = connection.execute(select(func.coalesce(func.max(notes.c.id), 0))).scalar_one()
    connection.execute(insert(notes).values(id=highest + 1))


async def test_what_a_function_returns_is_returned_and_committed(
    database: Database, second: Database
) -> None:
    assert await database.write(lambda c: c.execute(insert(notes).values(id=1)).rowcount) == 1
    assert await second.read(count) == 1


async def test_a_function_that_fails_leaves_nothing_behind(database: Database) -> None:
    def half(connection: Connection) -> None:
        append(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.write(half)

    assert await database.read(count) == 0


async def test_writers_that_are_alone_never_build_on_the_same_state(
    database: Database, second: Database
) -> None:
    writers = [(database, second)[number % 2] for number in range(24)]

    await asyncio.gather(*(writer.write(append) for writer in writers))

    assert await database.read(count) == 24


async def test_writers_that_only_add_go_on_side_by_side(database: Database, second: Database) -> None:
    def add(connection: Connection) -> None:
        statement = insert_into(connection.dialect, notes).values(id=1, words="x")
        connection.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_={"words": notes.c.words + "x"})
        )

    await asyncio.gather(*((database, second)[number % 2].write(add, alone=False) for number in range(20)))

    assert await database.read(lambda c: c.execute(select(notes.c.words)).scalar_one()) == "x" * 20


async def test_a_reader_sees_one_state(database: Database, second: Database) -> None:
    """The second look within one function sees what the first one saw."""
    seen: list[int] = []
    wrote = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def write_between() -> None:
        await second.write(append)
        wrote.set()

    def look_twice(connection: Connection) -> None:
        seen.append(count(connection))
        if not wrote.is_set():
            loop.call_soon_threadsafe(lambda: tasks.append(asyncio.create_task(write_between())))
            connection.execute(text("SELECT 1"))
        seen.append(count(connection))

    tasks: list[asyncio.Task[None]] = []
    await database.read(look_twice)
    await asyncio.wait_for(wrote.wait(), 5)

    assert seen == [0, 0]
    assert await database.read(count) == 1


@pytest.mark.parametrize(
    "values", [{"id": 1, "words": None}, {"id": 2**70}, {"id": 2, "words": "lone \ud800"}, {"id": 7}]
)
async def test_values_that_cannot_be_kept_are_told_from_a_database_that_is_away(
    database: Database, values: dict[str, object]
) -> None:
    await database.write(lambda c: c.execute(insert(notes).values(id=7)).rowcount)

    with pytest.raises(REFUSED_VALUES):
        await database.write(lambda c: c.execute(insert(notes), [values]).rowcount)

    assert await database.read(count) == 1


async def test_text_with_nul_is_kept(database: Database) -> None:
    await database.write(lambda c: c.execute(insert(notes).values(id=1, words="a\0b")).rowcount)

    kept = await database.read(lambda c: c.execute(select(notes.c.words)).scalar_one())

    assert kept in ("a\0b", "a\ufffdb")


async def test_a_caller_who_leaves_does_not_stop_what_has_begun(database: Database) -> None:
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(connection: Connection) -> None:
        connection.execute(select(1))
        loop.call_soon_threadsafe(began.set)
        append(connection)

    call = asyncio.create_task(database.write(work))
    await began.wait()
    call.cancel()
    await asyncio.wait({call})

    for _ in range(500):
        if await database.read(count):
            return
        await asyncio.sleep(0.01)
    pytest.fail("it was not committed")


async def test_a_database_that_is_away_says_so_and_is_found_again(
    sql: AnySqlWorld, database: Database
) -> None:
    await database.write(append)
    sql.lose()
    with pytest.raises(StoreUnavailable) as refused:
        await database.read(count)
    with pytest.raises(StoreUnavailable):
        await database.write(append)
    assert refused.value.retry_after_s

    sql.restore()

    assert await database.read(count) == 1


async def test_closing_twice_is_harmless(sql: AnySqlWorld) -> None:
    another = sql.another()
    await another.aclose()
    await another.aclose()
