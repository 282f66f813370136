"""The simulator as a process, and the `demo` command against it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrypoints.cli.demo import make_group

ROOT = Path(__file__).parents[3]


class Running:
    def __init__(self, *arguments: str, module: str = "entrypoints.simulator") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.url, self.port = said["url"], said["port"]

    def status_of(self, path: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        body = json.dumps({"model": "small", "messages": [{"role": "user", "content": "hi"}]})
        connection.request("POST", path, body, {"authorization": "Bearer k"})
        status = connection.getresponse().status
        connection.close()
        return status

    def end(self) -> int:
        try:
            return self.process.wait(timeout=10)
        finally:
            self.process.kill()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    simulator = Running()
    yield simulator
    simulator.process.terminate()
    assert simulator.end() == 0


def test_it_stops_on_a_signal() -> None:
    simulator = Running("--seed", "5")
    assert simulator.status_of("/v1/chat/completions") == 200

    simulator.process.send_signal(signal.SIGINT)

    assert simulator.end() == 0


def test_it_stops_with_its_parent_when_asked_to() -> None:
    simulator = Running("--exit-with-parent")
    assert simulator.process.stdin is not None

    simulator.process.stdin.close()

    assert simulator.end() == 0


def test_the_stream_mock_runs_as_a_process_too() -> None:
    mock = Running("--writes", "separate", module="benchmarks.mock.stream_mock")
    assert mock.status_of("/v1/chat/completions") == 200

    mock.process.terminate()

    assert mock.end() == 0


def test_a_taken_port_is_told_on_stderr(running: Running) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "entrypoints.simulator", "--port", str(running.port)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=20,
        check=False,
    )

    assert done.returncode == 1 and "cannot listen" in done.stderr


def test_demo_breaks_shows_and_heals_a_provider(running: Running, tmp_path: Path) -> None:
    (tmp_path / "simulator.json").write_text(json.dumps({"url": running.url}))
    group = make_group(lambda: tmp_path)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(group, list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    assert "'429'" in run("break", "alpha", "--how", "429", "--for", "30")
    assert running.status_of("/alpha/v1/chat/completions") == 429
    assert running.status_of("/beta/v1/chat/completions") == 200
    shown = run("status")
    assert "fault on provider=alpha: status 429, struck once" in shown and "alpha: 1 requests" in shown
    assert "1 fault ended" in run("heal", "alpha")
    assert running.status_of("/alpha/v1/chat/completions") == 200
    assert "no fault in force" in run("status", "--url", running.url)


@pytest.mark.parametrize("how", ["503", "429", "reset", "silence", "slow", "cut"])
def test_every_way_to_break_is_understood_by_the_simulator(running: Running, how: str) -> None:
    group = make_group()

    broken = CliRunner().invoke(group, ["break", "gone", "--how", how, "--model", "m*", "--url", running.url])
    healed = CliRunner().invoke(group, ["heal", "--url", running.url])

    assert (broken.exit_code, healed.exit_code) == (0, 0), broken.output


@pytest.mark.parametrize("written", [None, "not json", '{"url": "http://127.0.0.1:1"}', '{"url": "ftp:"}'])
def test_demo_says_clearly_that_no_simulator_runs(tmp_path: Path, written: str | None) -> None:
    if written is not None:
        (tmp_path / "simulator.json").write_text(written)

    result = CliRunner().invoke(make_group(lambda: tmp_path), ["status"])

    assert result.exit_code == 1
    assert "simulator" in result.output and "Traceback" not in result.output
