"""Proof that a revoked key is refused everywhere within a second: real servers, database and Redis.

    python -m benchmarks.revocation --rounds 8

Three `interchange serve` of two workers each share one PostgreSQL and one Redis, all on this machine's
loopback. Callers with connections to every server show one key all the time while it is revoked on one of
them: with Redis there, right after Redis was restarted empty, while it is away, and by rotation without
overlap. What counts is the last answer that let the key in, after the answer that confirmed the revocation.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import aiohttp
import psutil

from benchmarks.processes import Running
from tests.contract.postgres_server import PostgresServer
from tests.redis_world import RedisServer, required_server

ROOT: Final = Path(__file__).parents[1]
SERVERS: Final = 3
WORKERS: Final = 2
CONNECTIONS: Final = 16
"""Per server: with so many, a worker that none of them reaches is a chance of one in thirty thousand."""
LIMIT_S: Final = 1.0
PAUSE_S: Final = 0.01
WATCHED_S: Final = 2.0
"""How long is looked after a revocation: somebody who lets in late has to be seen."""
START_S: Final = 180.0
CONFIG: Final = """
providers:
  near: {kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: k, via: direct, models: {small: {}}}
"""


class Seen(NamedTuple):
    """One answer: when it was asked for and came, and whether it let the key in."""

    asked_at: float
    came_at: float
    let_in: bool


class Cluster:
    """The processes. Ends only what it started."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self._folder = folder
        self._shared = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "INTERCHANGE_KEY_PEPPER": f"1:{'5a' * 32}",
            "HOST": "127.0.0.1",
        }
        self.servers: list[Running] = []
        self.urls: list[str] = []
        self.key = ""

    async def start(self, config: Path) -> None:
        """One after the other: the first makes the owner's key."""
        for number in range(SERVERS):
            data_dir, port = self._folder / f"data-{number}", _free_port()
            if self.key:
                data_dir.mkdir()
                (data_dir / "admin.key").write_text(self.key)
            self._run(number, data_dir, port, config)
            await self._ready(number)
            self.key = self.key or (data_dir / "admin.key").read_text().strip()

    def _run(self, number: int, data_dir: Path, port: int, config: Path) -> None:
        passed = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {
            "PORT": str(port),
            "INTERCHANGE_CONFIG": str(config),
            "INTERCHANGE_DATA_DIR": str(data_dir),
        }
        command = [sys.executable, "-m", "entrypoints.cli.main", "serve", "--no-portkey", "--no-simulator"]
        command += ["--workers", str(WORKERS)]
        log = self._folder / f"server-{number}.log"
        environment = passed | self._shared | own
        self.servers.append(
            Running(f"server {number}", command, log=log, environment=environment, folder=ROOT)
        )
        self.urls.append(f"http://127.0.0.1:{port}")

    async def _ready(self, number: int) -> None:
        async with aiohttp.ClientSession() as session, asyncio.timeout(START_S):
            while True:
                if self.servers[number].ended:
                    raise RuntimeError(self.servers[number].last_lines(20))
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.urls[number]}/health/ready") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    def workers_reached(self, number: int) -> int:
        """How many processes of a server hold a connection of a caller right now."""
        port = int(self.urls[number].rpartition(":")[2])
        held = 0
        for pid in self.servers[number].pids():
            with contextlib.suppress(psutil.Error):
                connections = psutil.Process(pid).net_connections("tcp")
                held += any(
                    each.status == psutil.CONN_ESTABLISHED and each.laddr[1] == port for each in connections
                )
        return held

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


class Callers:
    """Connections to every server, each asking again and again with the key that is shown at that moment."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.shown = ""
        self.seen: list[Seen] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._ask(url)) for url in self._cluster.urls for _ in range(CONNECTIONS)
        ]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, url: str) -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            while True:
                key, asked_at = self.shown, time.monotonic()
                if key:
                    headers = {"authorization": f"Bearer {key}"}
                    async with session.get(f"{url}/v1/models", headers=headers) as answer:
                        await answer.read()
                        if key == self.shown:
                            self.seen.append(Seen(asked_at, time.monotonic(), answer.status == 200))
                await asyncio.sleep(PAUSE_S)


class Admin:
    """The owner, at any of the servers."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession) -> None:
        self._cluster = cluster
        self._session = session

    async def _call(self, server: int, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {self._cluster.key}"}
        url = f"{self._cluster.urls[server]}{path}"
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            if answer.status not in (200, 201):
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()

    async def new_key(self, server: int) -> tuple[str, str]:
        wanted = {"tenant_id": "acme", "name": f"robot {time.monotonic_ns()}", "role": "agent"}
        made = await self._call(server, "POST", "/api/v1/keys", wanted)
        return made["key_id"], made["key"]

    async def revoke(self, server: int, key_id: str) -> None:
        await self._call(server, "DELETE", f"/api/v1/keys/{key_id}")

    async def rotate(self, server: int, key_id: str) -> None:
        await self._call(server, "POST", f"/api/v1/keys/{key_id}/rotate", {"overlap_seconds": 0})


def _everywhere(seen: list[Seen]) -> bool:
    """Whether every caller was let in the last time."""
    return len(seen) >= SERVERS * CONNECTIONS and all(each.let_in for each in seen[-SERVERS * CONNECTIONS :])


async def one_round(callers: Callers, admin: Admin, server: int, *, rotating: bool) -> tuple[float, int]:
    """A key from its birth to its end: how long it was let in after that, and the answers looked at.

    A request that was asked before the end was confirmed is not held against anybody.
    """
    key_id, callers.shown = await admin.new_key(server)
    callers.seen = []
    async with asyncio.timeout(START_S):
        while not _everywhere(callers.seen):  # noqa: ASYNC110 - many callers, none of whom knows when
            await asyncio.sleep(PAUSE_S)
    await asyncio.sleep(0.3)
    callers.seen = []
    await (admin.rotate if rotating else admin.revoke)(server, key_id)
    confirmed_at = time.monotonic()
    await asyncio.sleep(WATCHED_S)
    late = [each.asked_at - confirmed_at for each in callers.seen if each.let_in]
    callers.shown = ""
    return max(0.0, *late, 0.0), len(callers.seen)


async def prove(cluster: Cluster, redis: RedisServer, rounds: int) -> bool:
    """All rounds of all circumstances; whether each stayed within the limit."""
    held = True
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, Callers(cluster) as callers:
        admin = Admin(cluster, session)
        for what in ("redis there", "redis restarted empty", "redis away", "redis back", "rotated"):
            worst, answers = 0.0, 0
            if what == "redis away":
                redis.kill()
            elif what == "redis back":
                redis.start()
            for number in range(rounds):
                if what == "redis restarted empty":
                    redis.restart_empty()
                late, looked_at = await one_round(
                    callers, admin, number % SERVERS, rotating=what == "rotated"
                )
                worst, answers = max(worst, late), answers + looked_at
            reached = [cluster.workers_reached(each) for each in range(SERVERS)]
            held = held and worst <= LIMIT_S and reached == [WORKERS] * SERVERS
            print(
                f"{what}: {rounds} keys, let in at most {worst * 1000:.0f} ms after the end was confirmed, "
                f"{answers} answers, workers reached {reached}",
                flush=True,
            )
    return held


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    rounds = parser.parse_args().rounds
    postgres = PostgresServer()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        redis = RedisServer(required_server(), folder / "redis")
        cluster = Cluster(folder, postgres.url(postgres.new_database()), redis.url)
        config = folder / "interchange.yaml"
        config.write_text(CONFIG)
        try:
            asyncio.run(_all(cluster, redis, config, rounds))
        finally:
            cluster.stop()
            redis.kill()
            postgres.remove()


async def _all(cluster: Cluster, redis: RedisServer, config: Path, rounds: int) -> None:
    await cluster.start(config)
    if not await prove(cluster, redis, rounds):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
