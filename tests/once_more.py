"""Tests that failed beside others are tried once more, each alone: a failure that comes again is one.

Real servers, browsers and gateways are tested where other processes may take the processor away for seconds.
What fails only then is told of by name at the end, so that it is seen, and stops nobody.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from tests import time_left

VARIABLE: Final = "INTERCHANGE_FAILED_TESTS"
"""Names the file in which a run puts what failed, a test a line; without it nothing is put anywhere."""
MOST: Final = 20
"""So many may be chance on a slow machine; more are not looked at again."""
WITHIN_S: Final = 900.0
"""They may need minutes each, but never hang."""
AFTER_END_S: Final = 330.0
"""So long after a run's end, where it has one."""


class Failures:
    """A plugin of pytest that remembers which tests failed, for `main`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._names: dict[str, None] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._names[report.nodeid] = None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # Only a run that came to its end knows all that failed in it.
        if session.exitstatus == pytest.ExitCode.TESTS_FAILED:
            self._file.write_text("".join(f"{name}\n" for name in self._names))


def main() -> int:
    """Tries them; the exit status of the whole."""
    file = Path(os.environ[VARIABLE])
    names = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)  # or a later run that breaks down early would be taken for this one
    if not 0 < len(names) <= MOST:
        return 1
    command = [sys.executable, "-m", "pytest", *names]
    # It is no part of that run: no lines are counted, and nobody gathers its results.
    ours = (VARIABLE, time_left.UNTIL, "SLIPCOVER", "PYTEST_XDIST")
    again = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    until = time_left.ends_at(os.environ)
    within_s = WITHIN_S if until is None else min(until + AFTER_END_S - time.time(), WITHIN_S)
    if within_s <= 0:
        print("== failed, and no time was left to try it once more")
        return 1
    try:
        status = subprocess.run(command, env=again, timeout=within_s, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"== was tried once more for {within_s:.0f} s, and did not end")
        return 1
    if status == 0:
        print("== passed alone, but failed beside others:", *names, sep="\n   ")
    return status


if __name__ == "__main__":
    sys.exit(main())
