"""A run with an end says what it did not get to, and fails where that is much."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import time_left

ROOT = Path(__file__).parents[2]


def test_the_end_is_read_once_for_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(time_left.UNTIL, raising=False)
    monkeypatch.setenv(time_left.SECONDS, "30")
    assert time_left.ends_at(os.environ, lambda: 1000.0) == 1030.0
    assert time_left.ends_at(os.environ, lambda: 1020.0) == 1030.0
    monkeypatch.delenv(time_left.UNTIL)
    monkeypatch.delenv(time_left.SECONDS)
    assert time_left.ends_at(os.environ) is None


def test_every_room_has_its_place() -> None:
    rooms = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("**/test_*.py"))}
    assert rooms == set(time_left.ROOMS)
    files = ("tests/e2e/test_b.py", "tests/unit/a/test_a.py", "tests/test_c.py")
    assert sorted(files, key=time_left.room_of) == [
        "tests/test_c.py",
        "tests/unit/a/test_a.py",
        "tests/e2e/test_b.py",
    ]


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
@pytest.mark.parametrize(
    ("seconds", "tests", "failing", "status"),
    [
        (600.0, 20, False, pytest.ExitCode.OK),
        (600.0, 20, True, pytest.ExitCode.TESTS_FAILED),
        (-1.0, 20, False, pytest.ExitCode.INTERRUPTED),
    ],
)
def test_what_was_not_run_is_told_and_much_of_it_fails(
    tmp_path: Path,
    processes: tuple[str, ...],
    seconds: float,
    tests: int,
    failing: bool,
    status: pytest.ExitCode,
) -> None:
    body = "assert number != 3" if failing else "assert number >= 0"
    (tmp_path / "test_it.py").write_text(
        f"import pytest\n@pytest.mark.parametrize('number', range({tests}))\n"
        f"def test_it(number):\n    {body}\n"
    )
    (tmp_path / "conftest.py").write_text(
        "import os\nfrom tests import time_left\n"
        "def pytest_configure(config):\n    until = time_left.ends_at(os.environ)\n"
        "    config.pluginmanager.register(time_left.TimeLeft(until, not hasattr(config, 'workerinput')))\n"
    )
    ours = ("SLIPCOVER", "PYTEST_XDIST", "INTERCHANGE")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *processes, str(tmp_path)],
        env={**environ, time_left.SECONDS: str(seconds), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == status, run.stdout
    told = f"NOT RUN, {time_left.REASON}: {tests} of {tests}"
    assert (told in run.stdout) == (status is pytest.ExitCode.INTERRUPTED)


def test_a_tenth_is_not_much() -> None:
    assert not time_left.too_many(0, 0)
    assert not time_left.too_many(10, 100)
    assert time_left.too_many(11, 100)
