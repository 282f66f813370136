"""Calls over MCP that run here, so that whoever made one can end it by another message.

There are no sessions that would tell two clients of one key apart, and each numbers its requests from one.
So a call is ended only where exactly one call with that number runs for the same key, network address and
program; else the wish is ignored, which the protocol allows.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

NUMBER_CHARS_MAX: Final = 200


class Whose(NamedTuple):
    """Who made a call, as far as a message tells. `number` is the request's, `0` and `"0"` being two."""

    key_id: str
    address: str
    program: str
    number: str


def number_of(said: object) -> str | None:
    """A request's number as text; None: it is none."""
    if isinstance(said, bool) or not isinstance(said, int | str):
        return None
    return repr(said)[:NUMBER_CHARS_MAX]


class RunningCalls:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._running: dict[Whose, list[asyncio.Task[Any]]] = {}
        self._ended: set[asyncio.Task[Any]] = set()

    @contextmanager
    def held(self, whose: Whose | None, task: asyncio.Task[Any]) -> Iterator[None]:
        """As long as this lasts, `end` may cancel the task. None: nobody can name it."""
        if whose is None:
            yield
            return
        self._running.setdefault(whose, []).append(task)
        try:
            yield
        finally:
            self._ended.discard(task)
            self._running[whose].remove(task)
            if not self._running[whose]:
                del self._running[whose]

    def end(self, whose: Whose) -> bool:
        """Whether a call was ended."""
        found = self._running.get(whose, ())
        if len(found) != 1:
            return False
        self._ended.add(found[0])
        found[0].cancel()
        return True

    def was_ended(self, task: asyncio.Task[Any]) -> bool:
        """Whether its caller ended it, as long as it is held."""
        return task in self._ended
