"""`interchange serve` in front of a simulated provider, as processes of their own, for one client."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from tests.clients.families import config

ROOT = Path(__file__).parents[2]
START_S, STOP_S = 180.0, 20.0


class Addresses(NamedTuple):
    """Where a client finds what it needs."""

    url: str
    key: str
    simulator_url: str


@contextmanager
def world(folder: Path) -> Iterator[Addresses]:
    """A server that is ready to answer; nothing that was started here is left behind.

    Raises:
        RuntimeError: it did not start; the message ends with its log.
    """
    simulator = subprocess.Popen(
        [sys.executable, "-m", "entrypoints.simulator", "--exit-with-parent"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert simulator.stdout is not None
        simulator_url = str(json.loads(simulator.stdout.readline())["url"])
        (folder / "interchange.yaml").write_text(config(simulator_url))
        with _server(folder) as url:
            yield Addresses(url, (folder / "data" / "admin.key").read_text().strip(), simulator_url)
    finally:
        simulator.terminate()
        simulator.wait(STOP_S)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    passed = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "PYTHONPATH")
    environment = {name: os.environ[name] for name in passed if name in os.environ} | {
        "INTERCHANGE_CONFIG": str(folder / "interchange.yaml"),
        "INTERCHANGE_DATA_DIR": str(folder / "data"),
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "entrypoints.cli.main", "serve", "--no-portkey", "--no-simulator"],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        give_up = time.monotonic() + START_S
        while not _ready(port):
            if server.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"it did not start: {(folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
