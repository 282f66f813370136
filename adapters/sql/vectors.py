"""Vectors in PostgreSQL, by its extension pgvector: one table for each embedder, so that none are ever
compared with another's.

A small partition is looked through; in a large one a graph over all of the table is walked until enough of
this partition were met. Numbers are kept as halves, so similarities are exact to about 0.001.
"""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, TextClause, text

from adapters.sql.database import Database
from adapters.sql.sqlstate import sqlstate
from application.ports.embedder import Vector
from application.ports.vector_index import IndexedVector, IndexFacts, Neighbour, VectorIndex
from domain.caching.vectors import unit_numbers
from domain.errors import InvalidRequest, StoreUnavailable

Result = TypeVar("Result")
VECTORS_MAX: Final = 1_000_000
DIMENSIONS_MAX: Final = 4_000
"""Of a graph over halves."""
EXACT_MAX: Final = 2_000
EXPANSION_SEARCH: Final = 100
SCANNED_MAX: Final = 40_000
ROWS_PER_CALL: Final = 5_000
ROUNDS_MAX: Final = 20
"""Of one upkeep; the next one goes on."""
_LOCK: Final = 0x1C7EC7
_NO_TABLE: Final = "42P01"
_MAY_NOT: Final = frozenset({"42501", "0A000", "58P01", "F0000", "42704"})
"""No right to create it, or no such extension on that machine."""


class PgVectorIndex(VectorIndex):
    """Holds `vectors_max`, over which those that expire first leave with the next upkeep.

    Makes its table with the first call. Whoever connects needs the right to create tables, and, where
    pgvector is not there yet, to create it.
    """

    def __init__(
        self, database: Database, embedder_id: str, dimensions: int, *, vectors_max: int = VECTORS_MAX
    ) -> None:
        """Raises InvalidRequest for more dimensions than pgvector has graphs for."""
        if not 0 < dimensions <= DIMENSIONS_MAX:
            raise InvalidRequest(
                f"{embedder_id} has {dimensions} dimensions; pgvector takes {DIMENSIONS_MAX} at most",
                param="cache.vectors",
            )
        self.embedder_id = embedder_id
        self.dimensions = dimensions
        self.vectors_max = vectors_max
        named = blake2b(f"{embedder_id}\0{dimensions}".encode(), digest_size=6).hexdigest()
        self.table = f"cached_vectors_{named}"
        self._database = database
        self._opening = asyncio.Lock()
        self._opened = False

    async def open(self) -> None:
        """Makes what is missing in the database. Raises StoreUnavailable, which says what is to be done."""
        async with self._opening:
            if self._opened:
                return
            try:
                await self._database.write(self._create, alone=False)
            except StoreUnavailable as error:
                if sqlstate(error.__cause__ or error) in _MAY_NOT:
                    raise StoreUnavailable(
                        "pgvector cannot be used: install it on the database server, and run "
                        f"`CREATE EXTENSION vector` there as an administrator ({error.message})"
                    ) from error
                raise
            self._opened = True

    def _create(self, connection: Connection) -> None:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        there = connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'vector'")).scalar()
        if not there:
            connection.execute(text("CREATE EXTENSION vector"))
        if connection.execute(text("SELECT to_regclass(:table)"), {"table": self.table}).scalar():
            return
        told = self.embedder_id.replace("'", "''")
        for statement in (
            f"CREATE TABLE {self.table} (key bytea PRIMARY KEY, partition bytea NOT NULL, "
            "tenant_id text NOT NULL, expires_at_us bigint NOT NULL, "
            f"embedding halfvec({self.dimensions}) NOT NULL)",
            f"CREATE INDEX ON {self.table} (partition)",
            f"CREATE INDEX ON {self.table} (tenant_id)",
            f"CREATE INDEX ON {self.table} (expires_at_us)",
            f"CREATE INDEX ON {self.table} USING hnsw (embedding halfvec_cosine_ops)",
            f"COMMENT ON TABLE {self.table} IS 'Vectors of {told} for similar questions; may be dropped'",
        ):
            connection.exec_driver_sql(statement)

    async def _read(self, work: Callable[[Connection], Result]) -> Result:
        await self.open()
        try:
            return await self._database.read(work)
        except StoreUnavailable as error:
            self._note(error)
            raise

    async def _write(self, work: Callable[[Connection], Result]) -> Result:
        await self.open()
        try:
            return await self._database.write(work, alone=False)
        except StoreUnavailable as error:
            self._note(error)
            raise

    def _note(self, error: StoreUnavailable) -> None:
        if sqlstate(error.__cause__ or error) == _NO_TABLE:
            self._opened = False  # somebody dropped it; the next call makes it anew

    def _halves(self, vector: Vector) -> str:
        return f"[{','.join(f'{each:.7g}' for each in unit_numbers(vector, self.dimensions))}]"

    async def add(self, vectors: Sequence[IndexedVector]) -> None:
        # The later of equal keys; in order, so that two writers cannot wait for each other.
        last = sorted({each.key: each for each in vectors}.items())
        rows = [
            {
                "key": key,
                "partition": each.partition,
                "tenant_id": each.tenant_id,
                "expires_at_us": each.expires_at_us,
                "embedding": self._halves(each.vector),
            }
            for key, each in last
        ]
        statement = text(
            f"INSERT INTO {self.table} (key, partition, tenant_id, expires_at_us, embedding) VALUES "  # noqa: S608
            "(:key, :partition, :tenant_id, :expires_at_us, CAST(CAST(:embedding AS text) AS halfvec)) "
            "ON CONFLICT (key) DO UPDATE SET partition = excluded.partition, tenant_id = excluded.tenant_id, "
            "expires_at_us = excluded.expires_at_us, embedding = excluded.embedding"
        )
        if rows:
            await self._write(lambda connection: connection.execute(statement, rows))

    async def search(
        self, partition: bytes, vector: Vector, *, limit: int, similarity_min: float, now_us: int
    ) -> list[Neighbour]:
        asked = {
            "partition": partition,
            "query": self._halves(vector),
            "now_us": now_us,
            "limit": max(0, limit),
        }
        rows = await self._read(lambda connection: self._nearest(connection, asked))
        return [Neighbour(bytes(key), near) for key, near in rows if near >= similarity_min]

    def _nearest(self, connection: Connection, asked: dict[str, Any]) -> list[tuple[bytes, float]]:
        mine = "WHERE partition = :partition AND expires_at_us > :now_us"
        few = text(
            f"SELECT count(*) FROM (SELECT 1 FROM {self.table} "  # noqa: S608
            f"WHERE partition = :partition LIMIT {EXACT_MAX + 1}) AS few"
        )
        count = connection.execute(few, {"partition": asked["partition"]}).scalar_one()
        if count > EXACT_MAX:
            settings = {
                "hnsw.iterative_scan": "strict_order",
                "hnsw.ef_search": str(EXPANSION_SEARCH),
                "hnsw.max_scan_tuples": str(SCANNED_MAX),
            }
            told = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
            connection.execute(text(f"SELECT {told}"))
            found = f"FROM {self.table} {mine}"
        else:
            # Materialized, so that the planner does not take the graph, where few of these would be met.
            found = "FROM mine"
        near = "1 - (embedding <=> CAST(CAST(:query AS text) AS halfvec))"
        order = "ORDER BY embedding <=> CAST(CAST(:query AS text) AS halfvec) LIMIT :limit"
        head = f"WITH mine AS MATERIALIZED (SELECT * FROM {self.table} {mine}) " if count <= EXACT_MAX else ""  # noqa: S608
        rows = connection.execute(text(f"{head}SELECT key, {near} {found} {order}"), asked)
        return [(key, float(similarity)) for key, similarity in rows]

    async def remove(self, keys: Sequence[bytes]) -> None:
        statement = text(f"DELETE FROM {self.table} WHERE key = ANY(CAST(:keys AS bytea[]))")  # noqa: S608
        for start in range(0, len(keys), ROWS_PER_CALL):
            await self._deleted(statement, {"keys": sorted(keys[start : start + ROWS_PER_CALL])})

    async def _deleted(self, statement: TextClause, asked: dict[str, Any]) -> int:
        return await self._write(lambda connection: int(connection.execute(statement, asked).rowcount))

    async def within(self, tenant_id: str, vector: Vector, similarity: float) -> list[bytes]:
        asked = {
            "tenant_id": tenant_id,
            "query": self._halves(vector),
            "distance": 1 - similarity,
        }
        statement = text(
            f"SELECT key FROM {self.table} WHERE tenant_id = :tenant_id AND "  # noqa: S608
            "(embedding <=> CAST(CAST(:query AS text) AS halfvec)) <= :distance"
        )
        return await self._read(
            lambda connection: [bytes(key) for key in connection.execute(statement, asked).scalars()]
        )

    async def upkeep(self, now_us: int) -> int:
        """In chunks, at most a hundred thousand at a time."""
        over = text(
            f"DELETE FROM {self.table} WHERE key IN (SELECT key FROM {self.table} "  # noqa: S608
            f"WHERE expires_at_us <= :now_us LIMIT {ROWS_PER_CALL} FOR UPDATE SKIP LOCKED)"
        )
        surplus = text(
            f"DELETE FROM {self.table} WHERE key IN (SELECT key FROM {self.table} "  # noqa: S608
            f"ORDER BY expires_at_us DESC OFFSET :vectors_max LIMIT {ROWS_PER_CALL})"
        )
        gone = 0
        rounds: tuple[tuple[TextClause, dict[str, Any]], ...] = (
            (over, {"now_us": now_us}),
            (surplus, {"vectors_max": self.vectors_max}),
        )
        for statement, asked in rounds:
            for _ in range(ROUNDS_MAX):
                done = await self._deleted(statement, asked)
                gone += done
                if done < ROWS_PER_CALL:
                    break
        return gone

    async def facts(self) -> IndexFacts:
        """Without a scan, so not how many. Raises StoreUnavailable."""
        statement = text("SELECT pg_total_relation_size(to_regclass(:table))")
        size_bytes = await self._read(
            lambda connection: connection.execute(statement, {"table": self.table}).scalar()
        )
        return IndexFacts(kind="pgvector", bytes_used=size_bytes)

    async def aclose(self) -> None:
        """The database is its opener's."""
