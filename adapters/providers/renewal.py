"""A value with an end, renewed ahead of it: one renewal at a time, whoever asks."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from application.ports.llm import UpstreamFailed
from application.ports.system import Clock
from domain.llm.failures import Failure, FailureKind

T = TypeVar("T")


class Renewed(Generic[T]):
    """Keeps what `obtain` gave until `ends_at` of it draws near.

    Within `ahead` of the end the old value still serves while one renewal runs beside; within `least` of it
    everybody waits for the renewal, at most `timeout_s`. Neither takes more than half of a value's life.
    A renewal that fails ahead of time is forgiven until then, and tried again at most once in `pause`.
    Cancelling one who waits does not end the renewal.
    """

    def __init__(
        self,
        obtain: Callable[[], Awaitable[T]],
        ends_at: Callable[[T], datetime | None],
        clock: Clock,
        *,
        ahead: timedelta = timedelta(minutes=10),
        least: timedelta = timedelta(minutes=1),
        pause: timedelta = timedelta(seconds=20),
        timeout_s: float = 10.0,
    ) -> None:
        self._obtain = obtain
        self._ends_at = ends_at
        self._clock = clock
        self._ahead = ahead
        self._least = least
        self._pause = pause
        self._timeout_s = timeout_s
        self._value: T | None = None
        self._obtained_at: datetime | None = None
        self._renewing: asyncio.Task[T] | None = None
        self._failed_at: datetime | None = None

    async def current(self) -> T:
        """The value in force.

        Raises:
            UpstreamFailed: there is none, and `obtain` failed or took too long.
        """
        value, now = self._value, self._clock.utc_now()
        if value is not None:
            ends_at = self._ends_at(value)
            if ends_at is None or now < ends_at - self._spared(ends_at, self._ahead):
                return value
            if now < ends_at - self._spared(ends_at, self._least):
                if self._failed_at is None or now >= self._failed_at + self._pause:
                    self._renewal()
                return value
        # The shield: a caller who leaves must not take the token from all who wait with him.
        return await asyncio.shield(self._renewal())

    def _spared(self, ends_at: datetime, wanted: timedelta) -> timedelta:
        """How long before its end a value is renewed: one that lives shortly must still serve for a while."""
        began = self._obtained_at or ends_at
        return min(wanted, max(ends_at - began, timedelta(0)) / 2)

    def _renewal(self) -> asyncio.Task[T]:
        if self._renewing is None:
            self._renewing = asyncio.get_running_loop().create_task(self._renew())
            self._renewing.add_done_callback(self._renewed)
        return self._renewing

    async def _renew(self) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._obtain()
        except TimeoutError:
            message = f"credentials could not be obtained within {self._timeout_s:g} s"
            failure = Failure(kind=FailureKind.TIMEOUT, message=message, sent=False)
            raise UpstreamFailed(failure) from None

    def _renewed(self, task: asyncio.Task[T]) -> None:
        self._renewing = None
        # Asking for the exception also marks it as seen: nobody may be waiting for a renewal ahead of time.
        if task.cancelled() or task.exception() is not None:
            self._failed_at = self._clock.utc_now()
        else:
            self._failed_at = None
            self._value, self._obtained_at = task.result(), self._clock.utc_now()
