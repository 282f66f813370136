"""What a storm rages in: a database, perhaps Redis, and instances of the server as operators start them."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import asyncpg

from benchmarks.processes import descendants
from benchmarks.storm.limits import Limit
from tests.contract.postgres_server import PostgresServer
from tests.redis_world import RedisClusterWorld, find_server

ROOT = Path(__file__).parents[2]
START_S = 180.0
INPUT_USD_PER_MTOK, OUTPUT_USD_PER_MTOK = {"cheap": "10", "dear": "30"}, {"cheap": "200", "dear": "500"}
PEPPER = f"1:{'5a' * 32}"


class Rows(Protocol):
    """The database, read by SQL that both kinds understand."""

    url: str

    async def ask(self, query: str) -> list[tuple[Any, ...]]: ...

    def close(self) -> None: ...


class SqliteRows:
    """The embedded database of the only instance."""

    url = ""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def ask(self, query: str) -> list[tuple[Any, ...]]:
        return await asyncio.to_thread(self._ask, query)

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(
            sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=30)
        ) as database:
            return database.execute(query).fetchall()

    def close(self) -> None:
        """Nothing is kept open."""


class PostgresRows:
    """A database of a server of the storm's own."""

    def __init__(self) -> None:
        self.server = PostgresServer()
        self.name = self.server.new_database()
        self.url = self.server.url(self.name)

    async def ask(self, query: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(
            user="postgres", database=self.name, host=str(self.server.directory), timeout=30
        )
        try:
            return [tuple(row) for row in await connection.fetch(query, timeout=60)]
        finally:
            await connection.close()

    def close(self) -> None:
        self.server.remove()


class Instance:
    """`interchange serve` with a data directory of its own; its whole process group can be killed."""

    def __init__(self, number: int, folder: Path, environment: dict[str, str], workers: int) -> None:
        self.number = number
        self.data_dir = folder / f"instance{number}"
        self.data_dir.mkdir(mode=0o700)
        self.log = folder / f"instance{number}.log"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.serving = False
        self.restarts = 0
        self._environment = environment | {
            "INTERCHANGE_DATA_DIR": str(self.data_dir),
            "INTERCHANGE_WORKERS": str(workers),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Returns when it answers; started again when it ends before, as service managers do.

        Raises RuntimeError with the end of its log when it never answers.
        """
        self._process = self._launched()
        give_up = time.monotonic() + START_S
        async with aiohttp.ClientSession() as session:
            while not await _answers(session, self.url):
                if time.monotonic() > give_up:
                    raise RuntimeError(self.log.read_text()[-3000:])
                if self._process.poll() is not None:
                    self.restarts += 1
                    self._process = self._launched()
                await asyncio.sleep(0.1 if self._process.poll() is None else 1.0)
        self.serving = True

    def _launched(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "entrypoints.cli.main", "serve", "--no-portkey", "--no-simulator"],
                cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL to the supervisor and all its workers at once. Idempotent."""
        self.serving = False
        process, self._process = self._process, None
        if process is None:
            return
        for pid in (process.pid, *descendants(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    async def stop(self) -> None:
        """As an operator would."""
        self.serving = False
        process = self._process
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 40)
            self._process = None
        self.kill()


class World:
    """Everything together. `start`, then use, then `stop`, which leaves no process behind."""

    def __init__(
        self, folder: Path, *, instances: int, workers: int, postgres: bool, redis: bool, simulator_url: str
    ) -> None:
        self.folder = folder
        self.config = folder / "interchange.yaml"
        self._simulator_url = simulator_url
        self.redis: RedisClusterWorld | None = None
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment |= {"INTERCHANGE_CONFIG": str(self.config), "INTERCHANGE_KEY_PEPPER": PEPPER}
        if redis:
            server = find_server()
            if server is None:
                raise RuntimeError("there is no redis-server")
            self.redis = RedisClusterWorld(server, folder / "redis")
            environment["REDIS_CLUSTER_URLS"] = ",".join(self.redis.urls)
        self.postgres = PostgresRows() if postgres else None
        if self.postgres is not None:
            environment["DATABASE_URL"] = self.postgres.url
        self.instances = [Instance(number, folder, environment, workers) for number in range(instances)]
        self.rows: Rows = self.postgres or SqliteRows(self.instances[0].data_dir / "interchange.db")
        self.owner_key = ""

    def configure(self, limits: Sequence[Limit]) -> None:
        """Writes the configuration, which running instances take up by themselves."""
        draft = self.config.with_suffix(".draft")
        draft.write_text(_config(self._simulator_url, limits))
        draft.rename(self.config)

    async def start(self, limits: Sequence[Limit]) -> None:
        self.configure(limits)
        first, *others = self.instances
        await first.start()
        self.owner_key = (first.data_dir / "admin.key").read_text().strip()
        await asyncio.gather(*(instance.start() for instance in others))

    async def new_keys(self, count: int) -> list[tuple[str, str]]:
        """Ids and keys of as many callers."""
        made = []
        headers = {"authorization": f"Bearer {self.owner_key}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            for number in range(count):
                body = {"tenant_id": "default", "name": f"caller-{number}", "role": "developer"}
                async with session.post(f"{self.instances[0].url}/api/v1/keys", json=body) as answer:
                    told = await answer.json()
                    made.append((str(told["key_id"]), str(told["key"])))
        return made

    async def stop(self) -> None:
        await asyncio.gather(*(instance.stop() for instance in self.instances))

    def end(self) -> None:
        """Ends whatever is left. Idempotent."""
        for instance in self.instances:
            instance.kill()
        if self.redis is not None:
            self.redis.kill()
        self.rows.close()


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/health/live", timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


def prices() -> dict[str, dict[str, str]]:
    """What the simulated providers charge."""
    return {
        f"{name}/small": {
            "input_usd_per_mtok": INPUT_USD_PER_MTOK[name],
            "output_usd_per_mtok": OUTPUT_USD_PER_MTOK[name],
        }
        for name in ("cheap", "dear")
    }


def _config(simulator_url: str, limits: Sequence[Limit]) -> str:
    providers = "".join(
        f"  {name}:\n    kind: openai\n    base_url: {simulator_url}/{name}/v1\n    api_key: provider-key\n"
        f"    via: direct\n    models:\n      small: {{input_usd_per_mtok: {price['input_usd_per_mtok']}, "
        f"output_usd_per_mtok: {price['output_usd_per_mtok']}, context_tokens: 128000, "
        f"max_output_tokens: 2048, capabilities: [text, streaming]}}\n"
        for name, price in ((each, prices()[f"{each}/small"]) for each in ("cheap", "dear"))
    )
    bounds = (
        "strategy: priority, retries: 1, timeouts: {headers_s: 1.5, first_token_s: 1.5, idle_s: 1, "
        "total_s: 6, stream_total_s: 8}"
    )
    return (
        "breaker: {consecutive_failures: 10000, minimum_calls: 100000}\n"
        "health: {unavailable_consecutive_failures: 100000}\n"
        f"providers:\n{providers}"
        f"routes:\n"
        f"  thrifty: {{targets: [{{target: cheap/small}}, {{target: dear/small, priority: 1}}], {bounds}}}\n"
        f"  bold: {{targets: [{{target: dear/small}}, {{target: cheap/small, priority: 1}}], {bounds}}}\n"
        f"  clamped: {{targets: [{{target: cheap/small}}], clamp_to_budget: true, {bounds}}}\n"
        f"  dear: {{targets: [{{target: dear/small}}], {bounds}}}\n"
        "ledger: {lost_after_s: 10, booked_after_s: 20}\n"
        "budgets:\n" + "".join(limit.yaml() for limit in limits)
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
