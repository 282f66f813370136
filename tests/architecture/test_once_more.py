"""Only a failure that does not come again is forgiven."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import once_more, time_left

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).relative_to(ROOT)
BROKEN = f"{HERE}::test_what_is_broken_stays_broken"
WHOLE = f"{HERE}::test_what_is_whole_passes"


def tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *names: str) -> int:
    file = tmp_path / "failed"
    file.write_text("".join(f"{name}\n" for name in names))
    monkeypatch.setenv(once_more.VARIABLE, str(file))
    monkeypatch.setenv("INTERCHANGE_TEST_BROKEN", "1")
    monkeypatch.chdir(ROOT)
    status = once_more.main()
    assert not file.exists()
    return status


def test_what_is_whole_passes() -> None:
    assert ROOT.is_dir()


def test_what_is_broken_stays_broken() -> None:
    assert "INTERCHANGE_TEST_BROKEN" not in os.environ


def test_what_passes_alone_is_forgiven_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried(monkeypatch, tmp_path, WHOLE) == 0
    assert WHOLE in capsys.readouterr().out


@pytest.mark.parametrize("names", [(BROKEN,), (WHOLE, BROKEN), (WHOLE,) * (once_more.MOST + 1), ()])
def test_nothing_else_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: tuple[str, ...]) -> None:
    assert tried(monkeypatch, tmp_path, *names) != 0


def test_nobody_is_tried_when_the_time_of_the_run_is_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(time_left.UNTIL, str(time.time() - once_more.AFTER_END_S - 1))
    assert tried(monkeypatch, tmp_path, WHOLE) != 0
    assert "no time was left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("failed", "status", "left"),
    [("True", pytest.ExitCode.TESTS_FAILED, True), ("False", pytest.ExitCode.OK, False)],
)
def test_a_run_leaves_what_failed_in_it(
    tmp_path: Path, failed: str, status: pytest.ExitCode, left: bool
) -> None:
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    assert not {failed}\n")
    (tmp_path / "before").write_text("an earlier run\n")
    code = (
        "import sys, pathlib, pytest\nfrom tests.once_more import Failures\n"
        "plugin = Failures(pathlib.Path(sys.argv[1]) / 'before')\n"
        "sys.exit(pytest.main(['-q', sys.argv[1]], plugins=[plugin]))"
    )

    ours = ("SLIPCOVER", "PYTEST_XDIST", "INTERCHANGE")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environ, cwd=ROOT, timeout=120, check=False
    )

    assert done.returncode == status
    assert (tmp_path / "before").exists() == left
    if left:
        assert (tmp_path / "before").read_text().endswith("test_it.py::test_it\n")
