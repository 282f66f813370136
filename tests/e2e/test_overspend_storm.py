"""The short overspend storm: one server with two workers on SQLite, killed and started again on the way."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITHIN_S = 240


def test_no_budget_is_overspent_by_two_workers_that_are_killed_under_64_callers() -> None:
    command = [sys.executable, "-m", "benchmarks.overspend_storm", "--quick", "--seed", "3", "--seconds", "8"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "kill an instance" in ended.stdout
    assert "seed 3: held" in ended.stdout
