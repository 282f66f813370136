"""Tests shared by processes that are forked once everything is imported and collected: `--forks 3`.

A process of pytest-xdist imports the whole code and collects all tests once more, a minute of a processor
each. These begin where the first has come to. A file's tests stay together and in their order; a process that
is free takes the next file. Needs an operating system that forks well: Linux.
"""

import atexit
import time
import warnings
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.hanging import HANGS_AFTER_S, HangsFail

GATHERERS: Final = ("terminalreporter", "failures")
"""Plugins by name that hear of all tests, and have nothing to say in a process that runs some of them."""
STARTED_AGAIN_MAX: Final = 20
"""More processes that end by themselves than these are no chance, and no other is started."""
LEAVE_WITHIN_S: Final = 60.0
"""So long a process may take for putting away what its session made."""
SILENT_TIMES: Final = 1.25
"""A process that says nothing for so many times what a test may take is ended."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forks", type=int, default=0, help="processes that share the tests; 0: none but this")
    parser.addoption(
        "--hangs-after", type=float, default=HANGS_AFTER_S, help="seconds after which a test of theirs fails"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--forks") > 0:
        forked = Forked(config.getoption("--forks"), config.getoption("--hangs-after") * SILENT_TIMES)
        config.pluginmanager.register(forked, "forked")


def files_of(names: Iterable[str]) -> deque[list[int]]:
    """Places of tests, by their names in the order of collection, grouped by the file they are in."""
    places = enumerate(name.partition("::")[0] for name in names)
    return deque([place for place, _ in tests] for _, tests in groupby(places, key=lambda one: one[1]))


class _Share:
    """In a process that runs tests: says what happens to those it is given, until there are no more."""

    def __init__(self, session: pytest.Session, talk: "Connection[Any, Any]") -> None:
        self._session = session
        self._talk = talk

    def run(self) -> None:
        session = self._session
        while (places := self._next()) is not None:
            for place, following in zip(places, [*places[1:], None], strict=True):
                item = session.items[place]
                self._talk.send(("begins", place))
                # Which file comes next is not settled yet: what is the session's stays, everything else goes.
                after: Any = session if following is None else session.items[following]
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                self._talk.send(("ended", place))
        put_away = pytest.CallInfo.from_call(partial(session._setupstate.teardown_exact, None), "teardown")
        if put_away.excinfo is not None:
            self._talk.send(("trouble", str(put_away.excinfo.getrepr())))
        self._talk.send(("left", None))

    def _next(self) -> list[int] | None:
        self._talk.send(("free", None))
        places: list[int] | None = self._talk.recv()
        return places

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = self._session.config.hook.pytest_report_to_serializable(
            config=self._session.config, report=report
        )
        self._talk.send(("report", told))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        plain = warnings.WarningMessage(
            str(warning_message.message),
            warning_message.category,
            warning_message.filename,
            warning_message.lineno,
        )
        self._talk.send(
            ("warned", {"warning_message": plain, "when": when, "nodeid": nodeid, "location": location})
        )


def _work(session: pytest.Session, number: int, talk: "Connection[Any, Any]", theirs: list[Any]) -> None:
    """The whole life of a process."""
    for connection in theirs:
        connection.close()  # or nobody would notice that the first process is gone
    atexit._clear()  # what the first process has to put away is not this one's
    config = session.config
    for name in (*GATHERERS, "forked"):
        if (plugin := config.pluginmanager.get_plugin(name)) is not None:
            config.pluginmanager.unregister(plugin)
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    if capture is not None:
        # Files that catch output have one place of writing for all who share them.
        capture.stop_global_capturing()
        capture.start_global_capturing()
        capture.suspend_global_capture()
    folders: Any = config._tmp_path_factory  # type: ignore[attr-defined]
    folders._given_basetemp, folders._basetemp = Path(folders._basetemp) / f"fork-{number}", None
    share = _Share(session, talk)
    config.pluginmanager.register(share, "share")
    config.pluginmanager.register(HangsFail(config.getoption("--hangs-after")), "hanging")
    try:
        share.run()
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        with suppress(Exception):
            session._setupstate.teardown_exact(None)
    finally:
        atexit._run_exitfuncs()


class _Process:
    """What the first process knows of another one."""

    def __init__(self, session: pytest.Session, number: int, others: Iterable["_Process"]) -> None:
        context = get_context("fork")
        self.talk, theirs = context.Pipe()
        held = [self.talk, *(other.talk for other in others)]
        self.process: ForkProcess = context.Process(target=_work, args=(session, number, theirs, held))
        self.process.start()
        theirs.close()
        self.places: deque[int] = deque()
        """Tests it was given and did not begin."""
        self.running: int | None = None
        self.left = False
        self.heard_s = time.monotonic()
        """When it said something last."""


class Forked:
    """In the first process: forks the others, gives them files, and hears what became of the tests."""

    def __init__(self, processes: int, silent_s: float) -> None:
        self._most = processes
        self._silent_s = silent_s
        self._started = 0
        self._processes: list[_Process] = []
        self._files: deque[list[int]] = deque()
        self._troubles: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.config.option.collectonly or session.testsfailed:
            return None  # as without forks
        self._files = files_of(item.nodeid for item in session.items)
        folders: Any = session.config._tmp_path_factory  # type: ignore[attr-defined]
        folders.getbasetemp()
        try:
            for _ in range(min(self._most, len(self._files))):
                self._start(session)
            while self._processes:
                self._hear(session)
                if session.shouldfail:
                    raise session.Failed(session.shouldfail)
                if session.shouldstop:
                    raise session.Interrupted(session.shouldstop)
        finally:
            self._end()
        if self._files:
            self._troubles.append(f"{sum(map(len, self._files))} tests were not run")
        session.testsfailed += len(self._troubles)
        return True

    def _start(self, session: pytest.Session) -> None:
        self._processes.append(_Process(session, self._started, self._processes))
        self._started += 1

    def _hear(self, session: pytest.Session) -> None:
        talking: Any = wait([one.talk for one in self._processes], timeout=5.0)
        for one in [one for one in self._processes if one.talk in talking]:
            one.heard_s = time.monotonic()
            try:
                what, told = one.talk.recv()
            except (EOFError, OSError):
                self._gone(session, one)
            else:
                self._take(session, one, what, told)
        for one in self._processes:
            if time.monotonic() - one.heard_s > self._silent_s:
                one.process.kill()  # it hangs so that it cannot even fail; its end is heard next

    def _take(self, session: pytest.Session, one: _Process, what: str, told: Any) -> None:
        hook = session.config.hook
        match what:
            case "free":
                one.places.extend(self._files.popleft() if self._files else ())
                with suppress(OSError):  # who is gone says so by itself
                    one.talk.send([*one.places] or None)
            case "begins":
                one.running = one.places.popleft()
                item = session.items[one.running]
                hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            case "ended":
                one.running = None
                item = session.items[told]
                hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            case "report":
                report = hook.pytest_report_from_serializable(config=session.config, data=told)
                hook.pytest_runtest_logreport(report=report)
            case "warned":
                hook.pytest_warning_recorded.call_historic(kwargs=told)
            case "trouble":
                self._troubles.append(told)
            case "left":
                one.left = True

    def _gone(self, session: pytest.Session, one: _Process) -> None:
        """One ended. In the middle of a test, that test has failed, and another does the rest of its file."""
        self._processes.remove(one)
        one.talk.close()
        one.process.join(LEAVE_WITHIN_S)
        if one.left:
            return
        if one.running is not None:
            item = session.items[one.running]
            report = pytest.TestReport(
                nodeid=item.nodeid,
                location=item.location,
                keywords={},
                outcome="failed",
                longrepr=f"the process of this test ended with {one.process.exitcode}",
                when="call",
            )
            item.ihook.pytest_runtest_logreport(report=report)
        else:
            self._troubles.append(f"a process ended with {one.process.exitcode} between its tests")
        if one.places:
            self._files.appendleft(list(one.places))
        if self._files and self._started < self._most + STARTED_AGAIN_MAX:
            self._start(session)

    def _end(self) -> None:
        """Nobody stays behind: they see that nobody listens, and are ended where they do not."""
        for one in self._processes:
            one.talk.close()
        until = time.monotonic() + LEAVE_WITHIN_S
        for one in self._processes:
            one.process.join(max(until - time.monotonic(), 0.0))
            if one.process.is_alive():
                one.process.kill()
                one.process.join()
        self._processes.clear()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._troubles:
            terminalreporter.section("after the last test of a process")
            for trouble in self._troubles:
                terminalreporter.line(trouble)
