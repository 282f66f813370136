"""Forked processes run every test once, keep a file's tests together, and lose no result."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.forked import STARTED_AGAIN_MAX, files_of

ROOT = Path(__file__).parents[2]
FILES = 4
TESTS = 6

_SHARED = """
import os
import pytest

@pytest.fixture(scope="session")
def theirs(tmp_path_factory):
    yield tmp_path_factory.mktemp("theirs")
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"put-away-session {os.getpid()} -\\n")
"""
_PLAIN = """
import os
from pathlib import Path
import pytest

@pytest.fixture(scope="module")
def together():
    yield os.getpid()
    note("put-away-module")

def note(what):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{what} {os.getpid()} {Path(__file__).name}\\n")

@pytest.mark.parametrize("number", range(6))
def test_it(number, theirs, together, tmp_path):
    assert together == os.getpid()
    (tmp_path / "file").write_text("x")
    note(f"test-{number}")
"""


def run(folder: Path, *options: str) -> "tuple[subprocess.CompletedProcess[str], list[list[str]]]":
    """What pytest said, and the notes of the tests: what, by which process, in which file."""
    ours = ("SLIPCOVER", "PYTEST_XDIST", "INTERCHANGE")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    notes = folder / "notes"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.forked",
            *options,
            folder,
        ],
        env={**environ, "PYTHONPATH": str(ROOT), "NOTES": str(notes), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done, [line.split() for line in notes.read_text().splitlines()] if notes.exists() else []


def lay(folder: Path) -> None:
    (folder / "conftest.py").write_text(_SHARED)
    for number in range(FILES):
        (folder / f"test_{number}.py").write_text(_PLAIN)


def test_tests_of_one_file_are_one_group() -> None:
    names = ["a.py::x", "a.py::y[a.py::z]", "b.py::x", "c.py::x", "c.py::y"]
    assert list(files_of(names)) == [[0, 1], [2], [3, 4]]
    assert list(files_of([])) == []


@pytest.mark.parametrize("forks", [1, 3, 9])
def test_every_test_runs_once_beside_the_others_of_its_file(tmp_path: Path, forks: int) -> None:
    lay(tmp_path)
    done, notes = run(tmp_path, "--forks", str(forks))
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert f"{FILES * TESTS} passed" in done.stdout
    tests = [note for note in notes if note[0].startswith("test-")]
    assert len(tests) == FILES * TESTS
    for number in range(FILES):
        of_file = [note for note in tests if note[2] == f"test_{number}.py"]
        assert [note[0] for note in of_file] == [f"test-{place}" for place in range(TESTS)]
        assert len({process for _, process, _ in of_file}) == 1
    counted = Counter(note[0] for note in notes)
    assert counted["put-away-module"] == FILES
    assert counted["put-away-session"] == len({note[1] for note in tests})


def test_failures_errors_warnings_and_output_come_through(tmp_path: Path) -> None:
    (tmp_path / "test_many.py").write_text(
        "import warnings\nimport pytest\n"
        "def test_fails():\n    print('said before')\n    assert 1 == 2\n"
        "def test_warns():\n    warnings.warn('look out')\n"
        "def test_skips():\n    pytest.skip('not here')\n"
        "@pytest.fixture\ndef broken():\n    yield\n    raise OSError('not put away')\n"
        "def test_broken(broken):\n    pass\n"
    )
    done, _ = run(tmp_path, "--forks", "2")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 2 passed, 1 skipped, 1 warning, 1 error" in done.stdout
    for told in ("said before", "assert 1 == 2", "look out", "not put away"):
        assert told in done.stdout


def test_a_process_that_ends_has_failed_its_test_and_no_other(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "test_0.py").write_text(
        "import os\ndef test_1():\n    pass\ndef test_2():\n    os._exit(7)\ndef test_3():\n    pass\n"
    )
    done, _ = run(tmp_path, "--forks", "2")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"1 failed, {(FILES - 1) * TESTS + 2} passed" in done.stdout
    assert "the process of this test ended with 7" in done.stdout


_HANGS = """
import asyncio
import signal
import threading
import pytest

class Waiter:
    async def answer(self):
        await asyncio.get_running_loop().create_future()

def run(work):
    asyncio.new_event_loop().run_until_complete(work)

@pytest.fixture
def made():
    async def hold():
        yield
        await Waiter().answer()
    held = hold()
    async def put_away():
        await anext(held)
        await anext(held)
    yield
    run(put_away())

def test_that_waits(made):
    pass

def test_that_hears_nothing():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    threading.Event().wait()

def test_of_peace():
    pass
"""


def test_tests_that_hang_fail_and_no_other(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "test_0.py").write_text(_HANGS)
    done, _ = run(tmp_path, "--forks", "2", "--hangs-after", "2")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"1 failed, {(FILES - 1) * TESTS + 2} passed, 1 error" in done.stdout
    assert "test_0.py::test_that_waits did not end within 2 s" in done.stdout
    assert "put_away" in done.stdout and "hold" in done.stdout and "Waiter.answer" in done.stdout
    assert "the process of this test ended with -9" in done.stdout


def test_what_a_session_cannot_put_away_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.fixture(scope='session')\n"
        "def made():\n    yield\n    raise OSError('left behind')\n"
        "def test_it(made):\n    pass\n"
    )
    done, _ = run(tmp_path, "--forks", "2")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "left behind" in done.stdout


def test_the_first_failure_ends_a_run_that_wants_it(tmp_path: Path) -> None:
    lay(tmp_path)
    (tmp_path / "test_0.py").write_text("def test_it():\n    assert False\n")
    done, _ = run(tmp_path, "--forks", "1", "-x")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "stopping after 1 failures" in done.stdout
    assert "passed" not in done.stdout


def test_processes_that_end_again_and_again_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import os\nimport pytest\n@pytest.mark.parametrize('number', range(100))\n"
        "def test_it(number):\n    os._exit(7)\n"
    )
    done, _ = run(tmp_path, "--forks", "1")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"{STARTED_AGAIN_MAX + 1} failed" in done.stdout
    assert f"{100 - STARTED_AGAIN_MAX - 1} tests were not run" in done.stdout
