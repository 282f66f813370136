"""Binds the pool of leases in Redis: one server and a Cluster, before ledgers in memory and in SQL."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from typing import Any

import pytest

from adapters.memory.ledger import InMemoryLedger
from adapters.memory.ledger_pools import InMemoryLedgerPools
from adapters.redis.connection import RedisConnection
from adapters.redis.ledger import RedisLedger
from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_pools import SqlLedgerPools
from application.ports.ledger import LedgerBooks, LedgerStore
from contracts.ports.ledger import LedgerStoreContract
from contracts.ports.ledger_books import LedgerChargesContract
from contracts.ports.ledger_losses import LedgerLossContract
from domain.errors import StoreUnavailable
from tests.contract.sql_world import AnySqlWorld
from tests.redis_world import RedisClusterWorld, RedisServer

_numbers = count(1)


def new_pool() -> str:
    return f"pool_{next(_numbers)}"


class SwitchedConnection(RedisConnection):
    """Can be taken away without stopping servers that other tests use."""

    reachable = True

    async def bounded(self, work: Callable[[], Awaitable[Any]]) -> Any:
        if not self.reachable:
            raise StoreUnavailable("switched off")
        return await super().bounded(work)


class PoolHoles:
    """Figures are asked for anew with every look, so that the projection knows what the database knows."""

    @pytest.fixture
    def truth(self) -> InMemoryLedger:
        return InMemoryLedger()

    @pytest.fixture
    def store(self, truth: InMemoryLedger, redis: RedisConnection) -> LedgerStore:
        return RedisLedger(truth, InMemoryLedgerPools(truth), redis, new_pool, fresh_for_s=0)

    @pytest.fixture
    def books(self, truth: InMemoryLedger) -> LedgerBooks:
        return truth


class SingleHoles(PoolHoles):
    @pytest.fixture
    async def redis(self, redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
        connection = RedisConnection([redis_server.url])
        yield connection
        await connection.aclose()

    @pytest.fixture
    def lose(self, truth: InMemoryLedger, redis_server: RedisServer) -> Iterator[Callable[[], None]]:
        def lose() -> None:
            truth.reachable = False
            redis_server.freeze()

        yield lose
        redis_server.thaw()

    @pytest.fixture
    def restore(self, truth: InMemoryLedger, redis_server: RedisServer) -> Callable[[], None]:
        def restore() -> None:
            truth.reachable = True
            redis_server.thaw()

        return restore


class ClusterHoles(PoolHoles):
    @pytest.fixture
    async def redis(self, redis_cluster: RedisClusterWorld) -> AsyncIterator[RedisConnection]:
        connection = SwitchedConnection(redis_cluster.urls, cluster=True)
        yield connection
        await connection.aclose()

    @pytest.fixture
    def lose(self, truth: InMemoryLedger, redis: SwitchedConnection) -> Callable[[], None]:
        def lose() -> None:
            truth.reachable = redis.reachable = False

        return lose

    @pytest.fixture
    def restore(self, truth: InMemoryLedger, redis: SwitchedConnection) -> Callable[[], None]:
        def restore() -> None:
            truth.reachable = redis.reachable = True

        return restore


class SqlTruthHoles(SingleHoles):
    """The ledger in a database behind it; without one there is no pool either."""

    @pytest.fixture
    def truth(self, sql: AnySqlWorld) -> SqlLedger:
        return SqlLedger(sql.database)

    @pytest.fixture
    def store(self, sql: AnySqlWorld, truth: SqlLedger, redis: RedisConnection) -> LedgerStore:
        return RedisLedger(truth, SqlLedgerPools(sql.database, truth), redis, new_pool, fresh_for_s=0)

    @pytest.fixture
    def lose(self, sql: AnySqlWorld, redis_server: RedisServer) -> Iterator[Callable[[], None]]:
        def lose() -> None:
            sql.lose()
            redis_server.freeze()

        yield lose
        redis_server.thaw()

    @pytest.fixture
    def restore(self, sql: AnySqlWorld, redis_server: RedisServer) -> Callable[[], None]:
        def restore() -> None:
            sql.restore()
            redis_server.thaw()

        return restore


class TestSingleRedisLeases(SingleHoles, LedgerStoreContract):
    pass


class TestSingleRedisCharges(SingleHoles, LedgerChargesContract):
    pass


class TestSingleRedisLosses(SingleHoles, LedgerLossContract):
    pass


class TestClusterRedisLeases(ClusterHoles, LedgerStoreContract):
    pass


class TestClusterRedisCharges(ClusterHoles, LedgerChargesContract):
    pass


class TestClusterRedisLosses(ClusterHoles, LedgerLossContract):
    pass


class TestRedisBeforeSqlLeases(SqlTruthHoles, LedgerStoreContract):
    pass


class TestRedisBeforeSqlCharges(SqlTruthHoles, LedgerChargesContract):
    pass


class TestRedisBeforeSqlLosses(SqlTruthHoles, LedgerLossContract):
    pass
