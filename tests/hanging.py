"""A test that hangs fails, and says where each of its tasks waits; those after it are run.

A race that lets one test in a hundred thousand wait for ever would end a whole run otherwise, and leave
nothing to look for.
"""

import asyncio
import gc
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

import pytest

HANGS_AFTER_S: Final = 240.0
"""A test with all that is put up and away for it; the longest needs a third of that on a busy machine."""
AGAIN_AFTER_S: Final = 30.0
"""Putting away what hung may hang, too."""
DEPTH_MAX: Final = 50
TASKS_MAX: Final = 30


class HangsFail:
    """A plugin of pytest for a process that runs its tests in its main thread, without a debugger."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            return (yield)
        before = signal.signal(signal.SIGALRM, lambda *_: self._fail(item))
        signal.setitimer(signal.ITIMER_REAL, self._after_s, AGAIN_AFTER_S)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _fail(self, item: pytest.Item) -> None:
        """Raised wherever the main thread is, in a system call as well."""
        told = "\n".join(waiting())
        pytest.fail(f"{item.nodeid} did not end within {self._after_s:g} s; tasks wait in\n{told}")


def waiting() -> list[str]:
    """Where every task of this process waits, the outermost call first."""
    tasks = [each for each in gc.get_objects() if isinstance(each, asyncio.Task) and not each.done()]
    return [f"{task.get_name()}: " + " > ".join(_calls(task.get_coro())) for task in tasks[:TASKS_MAX]]


def _calls(awaited: Any) -> Iterator[str]:
    for _ in range(DEPTH_MAX):
        if awaited is None:
            return
        frame = _first(awaited, "cr_frame", "gi_frame", "ag_frame")
        if isinstance(frame, FrameType):
            yield f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
            awaited = _first(awaited, "cr_await", "gi_yieldfrom", "ag_await")
        elif inner := [each for each in gc.get_referents(awaited) if hasattr(each, "ag_frame")]:
            awaited = inner[0]  # what `anext` gives hides whose it is
        else:
            yield repr(awaited)[:200]
            return


def _first(of: Any, *names: str) -> Any:
    return next((found for name in names if (found := getattr(of, name, None)) is not None), None)
