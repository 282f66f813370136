"""The one event loop in which a command does everything it waits for.

Connections to PostgreSQL and Redis belong to the loop they were opened in: a command that opened a second
loop for its next step could neither use nor close them.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Result = TypeVar("Result")

_open: ContextVar[asyncio.Runner | None] = ContextVar("command_loop", default=None)


@contextmanager
def command_loop() -> Iterator[None]:
    """`run` works in one loop as long as this lasts; within another command loop, in that one."""
    if _open.get() is not None:
        yield
        return
    with asyncio.Runner() as runner:
        before = _open.set(runner)
        try:
            yield
        finally:
            _open.reset(before)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` returns: in the loop of the command, where one is open, else in one of its own.

    Not to be called where a loop runs.
    """
    runner = _open.get()
    return asyncio.run(work) if runner is None else runner.run(work)
