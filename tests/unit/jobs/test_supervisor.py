"""What `interchange serve` starts, keeps alive and ends, with real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entrypoints.jobs.ports import process_exists

PATIENCE_S = 30.0
REPOSITORY = Path(__file__).parents[3]


class Served:
    """One running supervisor, started like from a shell."""

    def __init__(self, data_dir: Path, factory: str = "build", **server: object) -> None:
        self.data_dir = data_dir
        flags = {
            "server": {"port": 0, **server},
            "simulator": {"enabled": False},
            "portkey": {"managed": False},
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.jobs.serve_placeholder", factory, json.dumps(flags)],
            cwd=REPOSITORY,
            env={**passed_on(), "INTERCHANGE_DATA_DIR": str(data_dir)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_up(self) -> "Served":
        eventually(lambda: (self.data_dir / "server.json").exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output()
        return self

    @property
    def url(self) -> str:
        return str(json.loads((self.data_dir / "server.json").read_text())["url"])

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE_S) as response:
            return str(response.read().decode())

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def output(self) -> str:
        return self.process.communicate(timeout=PATIENCE_S)[0]


def passed_on() -> dict[str, str]:
    """Our environment without settings of the server, but with what measures coverage."""
    return {name: os.environ[name] for name in os.environ if name == "PATH" or name.startswith("COVERAGE_")}


def eventually(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at, "it never happened"
        time.sleep(0.02)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(factory: str = "build", data_dir: Path = tmp_path / "data", **server: object) -> Served:
        started.append(Served(data_dir, factory, **server))
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.process.kill()
        served.process.communicate()


def test_sigterm_lets_a_running_request_finish_and_leaves_nothing_behind(
    serve: Callable[..., Served],
) -> None:
    served = serve().wait_until_up()
    worker = int(served.get("/pid"))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(served.get, "/slow")
        eventually(lambda: (served.data_dir / "slow-began").exists())

        status = served.end()

        assert answer.result() == str(worker)
    assert status == 0
    assert (served.data_dir / "drained").exists()
    assert not process_exists(worker)
    assert not (served.data_dir / "server.json").exists()


def test_a_drain_that_lasts_too_long_is_cut_by_the_application_itself(serve: Callable[..., Served]) -> None:
    served = serve(drain_timeout_s=0.2).wait_until_up()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(served.get, "/until-cancelled")
        eventually(lambda: (served.data_dir / "endless-began").exists())

        status = served.end()

        assert answer.result().isdigit()
    assert status == 0
    assert (served.data_dir / "drained").exists()


def test_a_hangup_asks_for_the_configuration_again_and_ends_nothing(serve: Callable[..., Served]) -> None:
    served = serve().wait_until_up()
    worker, asked = int(served.get("/pid")), served.data_dir / "reload.json"

    served.process.send_signal(signal.SIGHUP)
    eventually(asked.exists)
    first = asked.stat()
    served.process.send_signal(signal.SIGHUP)
    eventually(lambda: asked.stat().st_ino != first.st_ino or asked.stat().st_mtime_ns != first.st_mtime_ns)

    assert int(served.get("/pid")) == worker
    assert served.end() == 0
    assert not asked.exists()


def test_nothing_outlives_a_supervisor_that_was_killed(serve: Callable[..., Served]) -> None:
    served = serve(workers=2).wait_until_up()
    worker = int(served.get("/pid"))

    served.end(signal.SIGKILL)

    eventually(lambda: not process_exists(worker))


def test_a_worker_that_dies_is_replaced(serve: Callable[..., Served]) -> None:
    served = serve().wait_until_up()
    first = served.get("/pid")

    with pytest.raises(OSError):
        served.get("/crash")

    def another_answers() -> bool:
        try:
            return served.get("/pid") != first
        except OSError:
            return False

    eventually(another_answers)
    assert served.end() == 0


def test_an_application_that_cannot_start_ends_it_with_the_reason(serve: Callable[..., Served]) -> None:
    served = serve("build_broken")

    output = served.output()

    assert served.process.returncode == 1
    assert "this application cannot start" in output


def test_a_second_one_on_the_same_data_directory_names_the_first(serve: Callable[..., Served]) -> None:
    first = serve().wait_until_up()

    second = serve()

    assert f"process {first.process.pid} already runs" in second.output()
    assert second.process.returncode == 1


def test_a_taken_port_is_reported_with_its_owner_and_the_way_out(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        output = serve(port=port).output()

    assert f"port {port} is in use by process {os.getpid()}" in output
    assert f"PORT={port + 1} make run" in output


def test_the_start_page_shows_a_call_to_copy(serve: Callable[..., Served]) -> None:
    served = serve().wait_until_up()
    url = served.url
    served.end()

    output = served.output()

    assert f"curl {url}/v1/chat/completions" in output
    assert "admin.key" in output
    assert "embedded, 1 worker)" in output
