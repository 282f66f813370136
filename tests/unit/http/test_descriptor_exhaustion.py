"""Out of file descriptors is a connect failure, and over when descriptors are free again."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", ["streamlined", "aiohttp"])
def test_running_out_of_descriptors_is_a_connect_failure_that_passes(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.exhaust_descriptors", kind],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["b'x'", "connect", "connect", "connect", "connect", "alive"]
