"""`interchange config` against a running server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import interchange
from tests.unit.cli.fake_server import FakeServer, fake_server

FILE = "data_dir: ./data\nserver: {port: 9000}\nbreaker: {open_s: 5}\nroutes: {a: {targets: [x/y]}}\n"
RUNNING: dict[str, Any] = {
    "settings": {
        "server": {"port": 4711, "workers": 2},
        "breaker": {"open_s": 7.0},
        "routes": {"a": {"targets": [{"target": "x/y"}]}},
    },
    "warnings": [],
    "restart_only": ["server", "data_dir"],
    "command_line": ["server.port"],
    "reload": {
        "file": "interchange.yaml",
        "state": "failed",
        "reloads": 2,
        "failures": 1,
        "problems": ["interchange.yaml:1:1: no"],
        "needs_restart": ["server"],
    },
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.chdir(tmp_path)
    for name in (
        "INTERCHANGE_CONFIG",
        "INTERCHANGE_API_KEY",
        "INTERCHANGE_URL",
        "INTERCHANGE_DATA_DIR",
        "PORT",
    ):
        monkeypatch.delenv(name, raising=False)
    with fake_server({"/api/v1/config": (200, RUNNING)}) as running:
        (tmp_path / "interchange.yaml").write_text(FILE)
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "server.json").write_text(json.dumps({"url": running.url}))
        (tmp_path / "data" / "admin.key").write_text("k")
        yield running


def run(*arguments: str) -> Result:
    return CliRunner().invoke(interchange, ["config", *arguments], catch_exceptions=False)


def test_a_difference_is_a_line_with_what_it_takes(server: FakeServer) -> None:
    shown = run("diff", "--exit-code")

    assert shown.exit_code == 1
    lines = shown.stdout.splitlines()
    assert "breaker.open_s: 7.0 -> 5.0" in lines
    assert "server.workers: 2 -> (not given)  (takes a restart)" in lines
    assert not [line for line in lines if line.startswith(("server.port", "routes"))]


def test_differences_as_json(server: FakeServer) -> None:
    shown = json.loads(run("diff", "--json").stdout)

    assert {"path": "breaker.open_s", "running": 7.0, "file": 5.0, "needs_restart": False} in shown[
        "differences"
    ]
    assert shown["reload"]["state"] == "failed"


def test_a_refused_file_is_told_and_is_the_exit_status(server: FakeServer) -> None:
    shown = run("status")

    assert shown.exit_code == 1
    assert "NOT in use" in shown.output
    assert "not in use: interchange.yaml:1:1: no" in shown.output
    assert "takes a restart: server" in shown.output


def test_the_server_is_found_also_while_the_file_has_errors(server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "interchange.yaml").write_text(FILE + "breaker_: 1\n")

    shown = run("status", "--json")

    assert json.loads(shown.stdout)["reload"]["failures"] == 1
    assert "has errors" in shown.stderr


def test_the_running_configuration_can_be_exported(server: FakeServer) -> None:
    assert "open_s: 7.0" in run("export", "--running").stdout
    assert run("export", "--running", "--all").exit_code == 2
