"""Ending a call from outside, wherever it waits: a kill switch reaches calls that nobody else watches."""

import asyncio
from types import TracebackType

from domain.errors import InterchangeError


class Halting:
    """Use it around what may be ended, as often as need be; calling it with an error ends that, or the next,
    with the error. The first error counts."""

    __slots__ = ("_task", "error")

    def __init__(self) -> None:
        self.error: InterchangeError | None = None
        self._task: asyncio.Task[object] | None = None

    def __call__(self, error: InterchangeError) -> None:
        if self.error is not None:
            return
        self.error = error
        if self._task is not None:
            self._task.cancel()

    def __enter__(self) -> None:
        if self.error is not None:
            raise self.error
        self._task = asyncio.current_task()

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self.error is None or task is None or not isinstance(raised, asyncio.CancelledError):
            return
        task.uncancel()
        raise self.error from None
