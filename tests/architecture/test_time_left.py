"""A run with an end says what it did not get to, and fails where that is much."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import time_left

ROOT = Path(__file__).parents[2]


def test_there_is_an_end_only_where_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(time_left.UNTIL, "1030")
    assert time_left.ends_at(os.environ) == 1030.0
    monkeypatch.setenv(time_left.UNTIL, "")
    assert time_left.ends_at(os.environ) is None
    monkeypatch.delenv(time_left.UNTIL)
    assert time_left.ends_at(os.environ) is None


def test_rooms_that_say_most_come_first_and_the_rest_in_turns() -> None:
    rooms = {path.name for path in (ROOT / "tests").iterdir()}
    assert rooms >= set(time_left.FIRST)
    later = [f"tests/e2e/test_{letter}.py" for letter in "abcdefgh"]
    files = (*later, "tests/test_c.py", "tests/unit/a/test_a.py", "tests/architecture/test_b.py")
    orders = [sorted(files, key=lambda file: time_left.place_of(file, turn)) for turn in ("one", "two")]
    for order in orders:
        assert order[:2] == ["tests/architecture/test_b.py", "tests/unit/a/test_a.py"]
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    "processes", [(), ("-p", "xdist", "-n", "2"), ("-p", "tests.forked", "--forks", "2")]
)
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
        "    gathers = not hasattr(config, 'workerinput')\n"
        "    config.pluginmanager.register(time_left.TimeLeft(until, gathers))\n"
    )
    ours = ("SLIPCOVER", "PYTEST_XDIST", "INTERCHANGE")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *processes, str(tmp_path)],
        env={**environ, time_left.UNTIL: str(time.time() + seconds), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == status, run.stdout
    told = f"NOT RUN, {time_left.REASON}: {tests} of {tests}"
    assert (told in run.stdout) == (status is pytest.ExitCode.INTERRUPTED)
    assert (tmp_path / time_left.NOTED).exists() == (told in run.stdout)


def test_a_quarter_is_not_too_much() -> None:
    assert not time_left.too_many(0, 0)
    assert not time_left.too_many(25, 100)
    assert time_left.too_many(26, 100)
