"""Binds the index in PostgreSQL, and what only that one can do."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, text

from adapters.sql import vectors
from adapters.sql.database import Database
from adapters.sql.opening import open_database
from adapters.sql.vectors import PgVectorIndex
from application.ports.vector_index import VectorIndex
from contracts.ports.vector_index import (
    DIMENSIONS,
    HOUR_US,
    NORTH,
    NOW_US,
    VectorIndexContract,
    at,
    found,
    indexed,
    scattered,
)
from domain.errors import InvalidRequest, StoreUnavailable
from tests.contract.sql_world import PostgresWorld


@pytest.fixture
async def world() -> AsyncIterator[PostgresWorld]:
    world = PostgresWorld()
    yield world
    await world.aclose()


class TestPgVectorIndex(VectorIndexContract):
    @pytest.fixture
    def index(self, world: PostgresWorld) -> VectorIndex:
        return PgVectorIndex(world.database, "test", DIMENSIONS)

    @pytest.fixture
    def unreachable_index(self, world: PostgresWorld) -> VectorIndex:
        world.lose()
        return PgVectorIndex(world.database, "test", DIMENSIONS)


class TestPgVectorIndexWithGraphs(VectorIndexContract):
    """Every partition counts as a large one."""

    @pytest.fixture
    def index(self, world: PostgresWorld, monkeypatch: pytest.MonkeyPatch) -> VectorIndex:
        monkeypatch.setattr(vectors, "EXACT_MAX", 0)
        return PgVectorIndex(world.database, "test", DIMENSIONS)


async def test_a_small_partition_among_many_vectors_is_found_whole(
    world: PostgresWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph goes on until enough of the partition were met."""
    monkeypatch.setattr(vectors, "EXACT_MAX", 0)
    index = PgVectorIndex(world.database, "test", DIMENSIONS)
    await index.add([indexed(b"other%d" % seed, scattered(seed), partition=b"o") for seed in range(1_500)])
    await index.add([indexed(b"mine%d" % seed, scattered(seed)) for seed in range(10_000, 10_010)])

    assert len(await found(index, scattered(1), limit=8, similarity_min=-1.1)) == 8


async def test_instances_that_open_at_once_share_one_table(world: PostgresWorld) -> None:
    indexes = [PgVectorIndex(world.database, "test", DIMENSIONS) for _ in range(4)]

    await asyncio.gather(*(index.add([indexed(b"%d" % n)]) for n, index in enumerate(indexes)))

    assert sorted(await found(indexes[0])) == [b"0", b"1", b"2", b"3"]


async def test_embedders_never_see_each_others_vectors(world: PostgresWorld) -> None:
    one = PgVectorIndex(world.database, "minilm/int8", DIMENSIONS)
    other = PgVectorIndex(world.database, "minilm/f32", DIMENSIONS)
    await one.add([indexed(b"k")])

    assert await found(other) == []
    assert one.table != other.table


async def test_those_that_expire_first_leave_when_there_are_too_many(world: PostgresWorld) -> None:
    index = PgVectorIndex(world.database, "test", DIMENSIONS, vectors_max=2)
    await index.add([indexed(b"%d" % n, at(0.9), expires_at_us=NOW_US + n * HOUR_US) for n in range(1, 5)])

    assert await index.upkeep(NOW_US) == 2

    assert sorted(await found(index)) == [b"3", b"4"]


async def test_whoever_may_not_create_the_extension_is_told_what_to_do(world: PostgresWorld) -> None:
    role = f"plain_{world.name}"
    world.server.run(f"CREATE ROLE {role} LOGIN", f"GRANT ALL ON DATABASE {world.name} TO {role}")
    database = vectors_database(world, role)

    with pytest.raises(StoreUnavailable, match="CREATE EXTENSION vector"):
        await PgVectorIndex(database, "test", DIMENSIONS).open()

    await database.aclose()
    world.server.run(f"REVOKE ALL ON DATABASE {world.name} FROM {role}", f"DROP ROLE {role}")


def vectors_database(world: PostgresWorld, role: str) -> Database:
    url = world.url.replace("postgres@", f"{role}@")
    return open_database(url, world.thread, connections_max=1, timeout_s=5.0)


async def test_it_comes_back_with_its_server(world: PostgresWorld) -> None:
    index = PgVectorIndex(world.database, "test", DIMENSIONS)
    world.lose()
    with pytest.raises(StoreUnavailable):
        await index.add([indexed(b"k")])

    world.restore()
    await index.add([indexed(b"k")])

    assert await found(index, NORTH) == [b"k"]


async def test_the_graph_serves_large_partitions(world: PostgresWorld) -> None:
    index = PgVectorIndex(world.database, "test", DIMENSIONS)
    await index.open()

    def indexes(connection: Connection) -> list[str]:
        asked = text("SELECT indexdef FROM pg_indexes WHERE tablename = :table")
        return list(connection.execute(asked, {"table": index.table}).scalars())

    assert any("USING hnsw" in each for each in await world.database.read(indexes))


def test_too_many_dimensions_are_refused(world: PostgresWorld) -> None:
    with pytest.raises(InvalidRequest, match="4000"):
        PgVectorIndex(world.database, "test", 4_001)


async def test_a_table_that_somebody_dropped_is_made_anew(world: PostgresWorld) -> None:
    index = PgVectorIndex(world.database, "test", DIMENSIONS)
    await index.add([indexed(b"k")])
    await world.database.write(lambda connection: connection.exec_driver_sql(f"DROP TABLE {index.table}"))

    with pytest.raises(StoreUnavailable):
        await found(index)

    assert await found(index) == []
    await index.add([indexed(b"k")])
    assert await found(index) == [b"k"]
