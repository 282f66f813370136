"""What the README shows is true: its commands exist, its code runs against a real server."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from entrypoints.cli.main import COMMANDS
from entrypoints.settings import load_settings
from tests.architecture.repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PATIENCE_S = 180.0
SHOWN_URL = "http://127.0.0.1:8080"


class Block(NamedTuple):
    """One fenced block; `runs` when its fence says so."""

    language: str
    runs: bool
    code: str


BLOCKS = [
    Block(language, bool(mark), code)
    for language, mark, code in re.findall(r"^```(\w+)( run)?\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
]
RUNNABLE = [block for block in BLOCKS if block.runs]


class Place(NamedTuple):
    """A running server and the folder its user stands in."""

    folder: Path
    url: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """`interchange serve` as a user has it, but on a free port and without fetching a gateway."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INTERCHANGE_")}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "entrypoints.cli.main", "serve", "--port", "0", "--no-portkey"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            state = folder / ".interchange" / "server.json"
            give_up_at = time.monotonic() + PATIENCE_S
            while not state.exists():
                assert server.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < give_up_at, (folder / "server.log").read_text()
                time.sleep(0.05)
            yield Place(folder, json.loads(state.read_text())["url"])
            server.send_signal(signal.SIGTERM)
            server.wait(PATIENCE_S)
        finally:
            if server.poll() is None:
                server.kill()
            server.wait()


@pytest.mark.parametrize("block", RUNNABLE, ids=[b.code.splitlines()[0][:40] for b in RUNNABLE])
def test_runnable_code_runs_as_shown(block: Block, place: Place) -> None:
    code = block.code.replace(SHOWN_URL, place.url)
    shell = ["bash", "-euo", "pipefail", "-c", code]
    command = shell if block.language == "bash" else [sys.executable, "-c", code]

    done = subprocess.run(
        command, cwd=place.folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "simulated" in done.stdout


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "bash"])
def test_shell_code_can_be_read_by_a_shell(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.code, text=True, timeout=10, check=False)

    assert checked.returncode == 0


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml"])
def test_shown_configuration_is_valid(block: Block, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(block.code)

    assert not load_settings({}, config_path=tmp_path / "shown.yaml").warnings


def test_shown_commands_exist() -> None:
    shown = set(re.findall(r"`interchange ([a-z]+)", README))
    found = re.findall(r"\bmake ([a-z]+)`|^make ([a-z]+)$", README, re.MULTILINE)
    targets = {inline or alone for inline, alone in found}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert shown <= set(COMMANDS)
    assert targets and all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
