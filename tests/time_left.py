"""A run that is given so much time comes to its end: what it did not get to is told, and may not be much.

A machine may be several times slower than another. Killed in the middle, a run would say nothing.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

SECONDS: Final = "INTERCHANGE_TESTS_S"
"""How long tests may be started; without it for ever."""
UNTIL: Final = "INTERCHANGE_TESTS_UNTIL"
"""The same as a time of the clock, which a run tells its processes."""
SHARE_MAX: Final = 0.1
"""Of all tests: if more were not tried, the run has failed."""
REASON: Final = "no time was left"
ROOMS: Final = ("architecture", "unit", "simulation", "contract", "security", "ui", "e2e")
"""In this order, so that what takes longest by itself is what is not reached."""


def ends_at(environ: "os._Environ[str]", now: Callable[[], float] = time.time) -> float | None:
    """When the last test may be started, by the clock; settles it for all processes of a run."""
    if SECONDS in environ and UNTIL not in environ:
        environ[UNTIL] = str(now() + float(environ[SECONDS]))
    return float(environ[UNTIL]) if UNTIL in environ else None


def room_of(path: str) -> int:
    """A test's place in the order of rooms, by its file's path in the repository; others come first."""
    parts = path.split("/")
    return ROOMS.index(parts[1]) if len(parts) > 2 and parts[1] in ROOMS else -1


def too_many(skipped: int, tests: int) -> bool:
    """Whether a run that did not get to so many tests has shown too little."""
    return skipped > SHARE_MAX * tests


class TimeLeft:
    """A plugin of pytest, in every process of a run; one of them gathers what all did, and judges."""

    def __init__(self, until: float, gathers: bool, now: Callable[[], float] = time.time) -> None:
        self._until = until
        self._gathers = gathers
        self._now = now
        self._files: Counter[str] = Counter()
        self._tests: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: room_of(item.nodeid))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        if self._now() > self._until:
            pytest.skip(REASON)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tests.add(report.nodeid)
        if report.skipped and REASON in str(report.longrepr):
            self._files[report.nodeid.partition("::")[0]] += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._gathers and too_many(self._files.total(), len(self._tests)):
            session.exitstatus = pytest.ExitCode.INTERRUPTED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._files:
            told = ", ".join(f"{file} ({count})" for file, count in sorted(self._files.items()))
            terminalreporter.section(f"NOT RUN, {REASON}: {self._files.total()} of {len(self._tests)}")
            terminalreporter.line(told)
