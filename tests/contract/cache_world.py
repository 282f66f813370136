"""Where kept answers and their log live, for suites: files and servers that can be taken away."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from uuid import uuid4

from adapters.redis.cache_log import RedisCacheLog
from adapters.redis.connection import RedisConnection
from adapters.sql.cache_database import CacheDatabase, open_cache_database
from adapters.sql.cache_tables import cache_metadata
from adapters.sql.database import Database
from adapters.sql.thread import BlockingThread
from contracts.ports.cache_log import RECORDS_MAX
from tests.contract.sql_world import PostgresWorld
from tests.redis_world import RedisClusterWorld, RedisServer

_names = count(1)


def new_epoch() -> str:
    return uuid4().hex


class CacheFileWorld:
    """One file, opened by two processes."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "cache.db"
        self._threads = [BlockingThread(f"test-cache-{n}") for n in range(2)]
        self._opened = [open_cache_database(self.path, thread) for thread in self._threads]

    @property
    def database(self) -> CacheDatabase:
        return self._opened[0]

    @property
    def another(self) -> CacheDatabase:
        return self._opened[1]

    async def prepare(self) -> None:
        """Nothing: whoever comes first makes the file."""

    def empty(self) -> None:
        self.path.unlink()

    def lose(self) -> None:
        self.path.unlink(missing_ok=True)
        self.path.mkdir()

    async def aclose(self) -> None:
        """Idempotent."""
        while self._opened:
            await self._opened.pop().aclose()
            await self._threads.pop().aclose()


class CachePostgresWorld:
    """The same tables in a PostgreSQL."""

    def __init__(self) -> None:
        self._world = PostgresWorld()
        self.database: Database = self._world.database
        self.another = self._world.another()

    async def prepare(self) -> None:
        await self.database.write(cache_metadata.create_all)

    def empty(self) -> None:
        async def drop() -> None:
            other = self._world.another()
            await other.write(cache_metadata.drop_all)
            await other.write(cache_metadata.create_all)
            await other.aclose()

        # From a fixture's plain function, in the middle of a running loop.
        _elsewhere(drop)

    def lose(self) -> None:
        self._world.lose()

    async def aclose(self) -> None:
        await self.another.aclose()
        await self._world.aclose()


AnyCacheWorld = CacheFileWorld | CachePostgresWorld


def _elsewhere(work: Callable[[], object]) -> None:
    from threading import Thread

    thread = Thread(target=lambda: asyncio.run(work()))  # type: ignore[arg-type]
    thread.start()
    thread.join(20)


class RedisCacheWorld:
    """A name of its own on servers of the session; two connections."""

    def __init__(self, servers: RedisServer | RedisClusterWorld) -> None:
        self.name = f"cache{next(_names)}"
        cluster = isinstance(servers, RedisClusterWorld)
        self._servers = servers
        urls = servers.urls if isinstance(servers, RedisClusterWorld) else [servers.url]
        # Time enough on a busy machine; how slow is down is tested elsewhere.
        self.connections = [
            RedisConnection(urls, cluster=cluster, binary=True, connect_timeout_s=10.0, command_timeout_s=5.0)
            for _ in range(2)
        ]

    def log(self, connection: int = 0) -> RedisCacheLog:
        return RedisCacheLog(
            self.connections[connection], new_epoch, records_max=RECORDS_MAX, installation=self.name
        )

    def empty(self) -> None:
        """Takes the log's keys away."""
        key = f"ic:{{cache:{self.name}}}:log"
        server = (
            self._servers.master_of(key) if isinstance(self._servers, RedisClusterWorld) else self._servers
        )
        with server.client() as client:
            client.delete(key, f"{key}:state")

    async def lost(self) -> RedisConnection:
        await self.connections[0].aclose()
        return self.connections[0]

    async def aclose(self) -> None:
        for connection in self.connections:
            await connection.aclose()
