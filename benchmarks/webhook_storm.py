"""No lost webhook: events for fast, slow, flapping and dead endpoints, dispatchers killed with SIGKILL, and
PostgreSQL restarted.

    python -m benchmarks.webhook_storm --events 10000 --rate 60 --kills 5

Two whole serving processes (without their HTTP side) deliver from one PostgreSQL. It is proven at the end
that every event arrived at every live endpoint, verified by the official library, that repetitions carried
the same id and body, and that what dead endpoints did not take is in the dead letters.
"""

import argparse
import asyncio
import base64
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from adapters.sql.outbox import SqlOutbox
from adapters.sql.postgres import PostgresDatabase
from adapters.sql.upgrade import upgrade
from application.ports.outbox import OutboxEvent
from application.reach import reach_everything
from benchmarks.webhook_subscribers import REFUSED, Subscriber, Subscribers
from domain.errors import StoreUnavailable
from domain.events import BUDGET_ALERT
from domain.webhooks.envelope import event_id
from entrypoints.garbage_collection import leave_out_of_collections
from entrypoints.lifespan import open_faces
from entrypoints.settings import load_settings
from tests.contract.postgres_server import PostgresServer

WORKERS: Final = 2
SCHEDULE: Final = (0, 0.5, 1, 2)
WAIT_S: Final = 900.0
SETTINGS: Final = """
fsync = off
max_connections = 100
shared_buffers = 64MB
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    events: int
    rate_per_s: float
    kills: int
    restarts: int
    fast: int = 10
    slow: int = 4
    flapping: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was seen. Latencies in milliseconds from the event's row to its first arrival, by kind."""

    events: int
    missing: dict[str, int]
    repeated: int
    changed: int
    unverified: int
    dead_expected: int
    dead: int
    open: int
    kills: int
    took_s: float
    latency_ms: dict[str, dict[str, float]]

    @property
    def holds(self) -> bool:
        return (
            not any(self.missing.values())
            and not (self.changed or self.unverified or self.open)
            and self.dead == self.dead_expected
        )


def subscribers(asked: Asked) -> list[Subscriber]:
    kinds = ["fast"] * asked.fast + ["slow"] * asked.slow + ["flapping"] * asked.flapping + ["dead"]
    made = []
    for number, kind in enumerate(kinds):
        secret = "whsec_" + base64.b64encode(os.urandom(32)).decode()
        slow_s = (0.2, 1.0)[number % 2] if kind == "slow" else 0.0
        made.append(Subscriber(f"/{kind}-{number}", kind, secret, slow_s))
    return made


def configured(port: int, nowhere: int, listed: list[Subscriber]) -> str:
    """The configuration of a dispatcher: every subscriber, and one where nobody listens."""
    endpoints: dict[str, Any] = {
        each.path[1:]: {
            "url": f"http://127.0.0.1:{port}{each.path}",
            "secret": each.secret,
            "events": [BUDGET_ALERT],
            "concurrency": 32 if each.kind == "slow" else 8,
        }
        for each in listed
    }
    endpoints[REFUSED[1:]] = {
        "url": f"http://127.0.0.1:{nowhere}{REFUSED}",
        "secret": listed[0].secret,
        "events": [BUDGET_ALERT],
    }
    return json.dumps(
        {
            "simulator": {"enabled": False},
            "portkey": {"managed": False},
            "egress": {"allow": [f"127.0.0.1:{port}", f"127.0.0.1:{nowhere}"]},
            "webhooks": {
                "http_allowed": True,
                "timeout_s": 2.5,
                "schedule_s": list(SCHEDULE),
                "lease_s": 5,
                "endpoints": endpoints,
            },
        }
    )


class Dispatchers:
    """Serving processes that are killed and started again."""

    def __init__(self, directory: Path, url: str, config: str) -> None:
        self._directory = directory
        self._config = directory / "interchange.yaml"
        self._config.write_text(config)
        self._environ = {
            **os.environ,
            "DATABASE_URL": url,
            "INTERCHANGE_DATA_DIR": str(directory / "data"),
            "INTERCHANGE_KEY_PEPPER": f"1:{'ab' * 32}",
            "INTERCHANGE_USAGE_WRITER": "thread",  # nobody asks them anything
        }
        self._running: list[subprocess.Popen[bytes]] = []
        self.kills = 0

    def start(self) -> None:
        with (self._directory / "dispatchers.log").open("ab") as log:
            self._running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.webhook_storm", "--dispatch", str(self._config)],
                    env=self._environ,
                    stdout=log,
                    stderr=log,
                )
            )

    def kill_one(self) -> None:
        """The oldest, with SIGKILL; another takes its place."""
        gone = self._running.pop(0)
        assert gone.poll() is None, (self._directory / "dispatchers.log").read_text()[-4000:]
        gone.send_signal(signal.SIGKILL)
        gone.wait(10)
        self.kills += 1
        self.start()

    def stop(self) -> None:
        for each in self._running:
            each.terminate()
        for each in self._running:
            with suppress(subprocess.TimeoutExpired):
                each.wait(20)
            if each.poll() is None:
                each.kill()


async def dispatch(config: Path) -> None:
    """One dispatcher: a whole serving process but for its listener."""
    loaded = load_settings(os.environ, config_path=config)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with open_faces(loaded, built=leave_out_of_collections):
        await over.wait()


async def storm(asked: Asked, directory: Path) -> Proof:
    server = PostgresServer(SETTINGS)
    name = server.new_database()
    await asyncio.to_thread(upgrade, server.url(name))
    reach_everything()
    database = PostgresDatabase(server.url(name), connections_max=4)
    listed = subscribers(asked)
    receivers = Subscribers(listed)
    await receivers.start()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        config = configured(receivers.port, nobody.getsockname()[1], listed)
        dispatchers = Dispatchers(directory, server.url(name), config)
        try:
            for _ in range(WORKERS):
                dispatchers.start()
            await _until_endpoints(database, len(listed) + 1)
            begun_s = asyncio.get_running_loop().time()
            told_s = await _events_and_faults(asked, server, database, dispatchers)
            await _until_settled(database, listed, asked.events)
            took_s = asyncio.get_running_loop().time() - begun_s
            return await _proven(asked, database, listed, told_s, dispatchers.kills, took_s)
        finally:
            dispatchers.stop()
            await receivers.aclose()
            await database.aclose()
            server.remove()


async def _events_and_faults(
    asked: Asked, server: PostgresServer, database: PostgresDatabase, dispatchers: Dispatchers
) -> dict[str, float]:
    """Writes the events at their rate, with faults spread over them; when each was written."""
    loop, outbox = asyncio.get_running_loop(), SqlOutbox(database)
    begun_s, told_s = loop.time(), dict[str, float]()
    faults = {
        round(asked.events * (n + 1) / (asked.kills + 1)): dispatchers.kill_one for n in range(asked.kills)
    }
    restarts = {round(asked.events * (n + 0.5) / (asked.kills + 1)) for n in range(asked.restarts)}
    for number in range(asked.events):
        key = f"storm.{number}"
        payload = json.dumps({"number": number, "filling": "x" * 200})
        event = OutboxEvent(key, BUDGET_ALERT, "default", payload, number)
        while True:
            try:
                await outbox.add(event)
                break
            except StoreUnavailable:
                await asyncio.sleep(0.1)
        told_s[event_id(key)] = loop.time()
        if number in faults:
            faults[number]()
        if number in restarts:
            await asyncio.to_thread(server.restart)
        if (early_s := begun_s + number / asked.rate_per_s - loop.time()) > 0:
            await asyncio.sleep(early_s)
    return told_s


async def _count(database: PostgresDatabase, statement: str) -> int:
    def work(connection: Connection) -> int:
        return int(connection.execute(text(statement)).scalar_one())

    try:
        return await database.read(work)
    except StoreUnavailable:
        return -1


async def _until_endpoints(database: PostgresDatabase, count: int) -> None:
    async with asyncio.timeout(60):
        while await _count(database, "SELECT count(*) FROM webhook_endpoints") != count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def _until_settled(database: PostgresDatabase, listed: list[Subscriber], events: int) -> None:
    unnumbered = "SELECT count(*) FROM outbox WHERE done_at_us IS NULL"
    waiting = f"SELECT count(*) + ({unnumbered}) FROM webhook_deliveries WHERE settled_at_us IS NULL"
    live = [each for each in listed if each.kind != "dead"]
    async with asyncio.timeout(WAIT_S):
        while any(len(each.first_s) < events for each in live) or await _count(  # noqa: ASYNC110
            database, waiting
        ):
            await asyncio.sleep(0.5)


async def _proven(
    asked: Asked,
    database: PostgresDatabase,
    listed: list[Subscriber],
    told_s: dict[str, float],
    kills: int,
    took_s: float,
) -> Proof:
    live = [each for each in listed if each.kind != "dead"]
    mine = f"topic = '{BUDGET_ALERT}'"
    waits: dict[str, list[float]] = {}
    for each in live:
        waits.setdefault(each.kind, []).extend(
            (at_s - told_s[name]) * 1000 for name, at_s in each.first_s.items() if name in told_s
        )
    return Proof(
        events=asked.events,
        missing={each.path: len(told_s.keys() - each.first_s.keys()) for each in live},
        repeated=sum(each.repeated for each in live),
        changed=sum(each.changed for each in listed),
        unverified=sum(each.unverified for each in listed),
        dead_expected=2 * asked.events,
        dead=await _count(
            database, f"SELECT count(*) FROM webhook_deliveries WHERE state = 'dead' AND {mine}"
        ),
        open=await _count(database, "SELECT count(*) FROM webhook_deliveries WHERE settled_at_us IS NULL"),
        kills=kills,
        took_s=took_s,
        latency_ms={kind: _quantiles(found) for kind, found in waits.items()},
    )


def _quantiles(found: list[float]) -> dict[str, float]:
    if len(found) < 2:
        return {}
    cuts = statistics.quantiles(found, n=100)
    return {"p50": round(cuts[49], 1), "p90": round(cuts[89], 1), "p99": round(cuts[98], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=60.0, help="events per second")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--restarts", type=int, default=1)
    parser.add_argument("--dispatch", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.dispatch is not None:
        asyncio.run(dispatch(given.dispatch))
        return
    asked = Asked(events=given.events, rate_per_s=given.rate, kills=given.kills, restarts=given.restarts)
    with tempfile.TemporaryDirectory(prefix="webhook-storm-") as directory:
        proof = asyncio.run(storm(asked, Path(directory)))
    print(json.dumps({name: getattr(proof, name) for name in Proof.__dataclass_fields__}, indent=2))
    print("holds" if proof.holds else "DOES NOT HOLD")
    sys.exit(0 if proof.holds else 1)


if __name__ == "__main__":
    main()
