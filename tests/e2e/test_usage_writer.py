"""Rows of a real server that are written by a process of their own, whoever is killed meanwhile."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.processes import descendants
from tests.e2e.test_metrics_of_workers import Served, ask, eventually, total


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(
        tmp_path_factory.mktemp("apart"), INTERCHANGE_WORKERS="1", INTERCHANGE_USAGE_WRITER="process"
    )
    try:
        served.wait()
        yield served
    finally:
        served.running.stop()


def writers(served: Served) -> list[int]:
    return [pid for pid in descendants(served.running.pid) if "usage_writer" in _command(pid)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def apart(served: Served) -> bool:
    return total(served.scraped(), "interchange_usage_log_apart") == 1


def rows(client: httpx.Client) -> int:
    return sum(int(row["requests"]) for row in client.get("/api/v1/usage").json()["rows"])


def test_rows_come_whoever_is_killed(served: Served) -> None:
    with served.client() as client:
        eventually(lambda: apart(served))
        (first,) = writers(served)
        ask(client, 10)
        eventually(lambda: rows(client) == 10)

        os.kill(first, signal.SIGKILL)
        ask(client, 10)
        eventually(lambda: rows(client) == 20)
        eventually(lambda: apart(served) and writers(served) not in ([], [first]))

        (second,) = writers(served)
        (worker,) = served.workers()
        ask(client, 10)
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: _command(second) == "")
        eventually(lambda: rows(client) == 30)
        ask(client, 10)
        eventually(lambda: rows(client) == 40)
        spent = client.get("/api/v1/usage").json()["rows"][0]["cost_nano_usd"]
        assert spent > 0


def test_nobody_is_left_when_it_ends(served: Served) -> None:
    with served.client() as client:
        ask(client, 1)
    everybody = served.running.pids()
    assert writers(served)

    served.running.stop()

    eventually(lambda: not any(_command(pid) for pid in everybody))
    assert "Traceback" not in served.running.log.read_text()
