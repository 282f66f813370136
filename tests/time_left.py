"""A run that is given so much time comes to its end: what it did not get to is told, and may not be much.

A machine may be several times slower than another. Killed in the middle, a run would say nothing.
"""

import os
import time
import zlib
from collections import Counter
from typing import Any, Final

import pytest

UNTIL: Final = "INTERCHANGE_TESTS_UNTIL"
"""When the last test may be started, in seconds of the clock (`date +%s`); without it there is no end."""
TURN: Final = "INTERCHANGE_TESTS_TURN"
"""Any word, a commit's name say: another one puts the rooms' files in another order."""
SHARE_MAX: Final = 0.25
"""Of all tests: if more were not tried, the run has failed."""
REASON: Final = "no time was left"
NOTED: Final = ".interchange-test/not-run"
"""A file where a run says how much it did not get to, for whoever judges it by what it reached."""
FIRST: Final = ("architecture", "unit", "simulation", "contract")
"""Rooms in this order: they say most for their time. What tries whole servers follows, files in turns."""


def ends_at(environ: "os._Environ[str]") -> float | None:
    """When the last test may be started, by the clock."""
    return float(environ[UNTIL]) if environ.get(UNTIL) else None


def place_of(path: str, turn: str = "") -> tuple[int, int]:
    """A test's place in the order, by its file's path in the repository."""
    parts = path.split("/")
    if len(parts) > 2 and parts[1] in FIRST:
        return FIRST.index(parts[1]), 0
    return len(FIRST), zlib.crc32(f"{turn} {path}".encode())


def too_many(skipped: int, tests: int) -> bool:
    """Whether a run that did not get to so many tests has shown too little."""
    return skipped > SHARE_MAX * tests


class TimeLeft:
    """A plugin of pytest, in every process of a run; one of them gathers what all did, and judges."""

    def __init__(self, until: float, gathers: bool, turn: str = "") -> None:
        self._until = until
        self._gathers = gathers
        self._turn = turn
        self._files: Counter[str] = Counter()
        self._tests: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: place_of(item.nodeid.partition("::")[0], self._turn))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        if time.time() > self._until:
            pytest.skip(REASON)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tests.add(report.nodeid)
        if report.skipped and REASON in str(report.longrepr):
            self._files[report.nodeid.partition("::")[0]] += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self._gathers or not self._files:
            return
        noted = session.config.rootpath / NOTED
        noted.parent.mkdir(exist_ok=True)
        noted.write_text(f"{self._files.total()} of {len(self._tests)}")
        if too_many(self._files.total(), len(self._tests)):
            session.exitstatus = pytest.ExitCode.INTERRUPTED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._files:
            told = ", ".join(f"{file} ({count})" for file, count in sorted(self._files.items()))
            terminalreporter.section(f"NOT RUN, {REASON}: {self._files.total()} of {len(self._tests)}")
            terminalreporter.line(told)
