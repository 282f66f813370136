"""A bounded pool of sessions, each as new when it is lent.

What has to happen after a call (stopping what still runs, undoing what a statement did to its session) is
done beside it: who called does not wait, and the place in the pool is free only when it is done. So no more
statements run on a server than the pool has places, those that nobody waits for included.
"""

import asyncio
import contextlib
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from application.ports.connector import ConnectorFigures
from application.ports.database_engine import Limits, Statement
from domain.errors import IntegrationUnavailable, InterchangeError

log = logging.getLogger("interchange")

OPEN_S: Final = 10.0
"""To connect, with TLS and login."""
TIDY_S: Final = 5.0
"""To renew, stop or close a session."""
WAIT_S: Final = 10.0
"""The longest a call waits for a session, whatever its own limit."""


class SessionLost(Exception):
    """The connection ended; what was under way on it is undone or unknown. Engines translate it."""


class Session(Protocol):
    """One connection to a server. Its methods raise the errors of `Engine`, and SessionLost."""

    columns: Sequence[str]
    """Of the statement that runs; empty when it returns no rows."""
    types: Sequence[str]
    rows_affected: int
    running: bool
    """Whether the server may still be busy with a statement, or has rows that were not fetched."""

    @abstractmethod
    async def begin(self, limits: Limits, *, write: bool) -> None:
        """A transaction with the server's own limits set."""
        ...

    @abstractmethod
    async def run(self, statement: Statement) -> None: ...

    @abstractmethod
    async def fetch(self, rows: int, size_bytes: int) -> Sequence[Sequence[Any]]:
        """At most `rows`, and no more after about `size_bytes`. Empty at the end, when nothing runs."""
        ...

    @abstractmethod
    async def commit(self) -> None: ...

    @abstractmethod
    async def renew(self) -> None:
        """Rolled back, and as after login."""
        ...

    @abstractmethod
    async def stop(self) -> None:
        """Ends on the server what runs there. The session is closed afterwards."""
        ...

    @abstractmethod
    async def close(self) -> None: ...


class PoolSettings(NamedTuple):
    """`places` sessions at most, and `waiting_max` calls that wait for one. What nobody used for `idle_s` is
    closed, but for `kept` of them."""

    places: int
    idle_s: float = 300.0
    kept: int = 0
    waiting_max: int = 256


SessionT = TypeVar("SessionT", bound=Session)


class SessionPool(Generic[SessionT]):
    """Belongs to one event loop. `lend` and `take_back` come in pairs."""

    def __init__(self, opener: Callable[[], Awaitable[SessionT]], settings: PoolSettings) -> None:
        self._opener, self._settings = opener, settings
        self._places = asyncio.Semaphore(settings.places)
        self._idle: list[tuple[float, SessionT]] = []
        self._lent: set[SessionT] = set()
        self._busy = self._waiting = 0
        self._tidying: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def lend(self, timeout_s: float) -> tuple[SessionT, bool]:
        """A session, and whether it was used before. Raises IntegrationUnavailable, EgressRefused,
        SessionLost when the server hangs up."""
        await self._place(min(timeout_s, WAIT_S))
        self._busy += 1
        try:
            session, used = await self._found()
        except BaseException:
            self._busy -= 1
            self._places.release()
            raise
        self._lent.add(session)
        return session, used

    def take_back(self, session: SessionT) -> None:
        """Never waits, never raises. What it still runs is stopped beside."""
        self._lent.discard(session)
        self._beside(self._settle(session))

    def forget_idle(self) -> None:
        """After a connection was found broken: the others probably are."""
        idle, self._idle = self._idle, []
        for _, session in idle:
            self._beside(_closed(session))

    def figures(self) -> ConnectorFigures:
        return ConnectorFigures(
            open=len(self._idle) + self._busy,
            busy=self._busy,
            waiting=self._waiting,
            limit=self._settings.places,
        )

    async def aclose(self) -> None:
        """Stops what runs, closes everything. Idempotent; never raises."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        self.forget_idle()
        for session in self._lent:
            self._beside(_stopped(session))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIDY_S):
                while self._tidying:
                    await asyncio.wait(set(self._tidying))

    async def _found(self) -> tuple[SessionT, bool]:
        if self._idle:
            return self._idle.pop()[1], True
        try:
            async with asyncio.timeout(OPEN_S):
                session = await self._opener()
        except TimeoutError:
            raise IntegrationUnavailable(
                f"the database did not let us in within {OPEN_S:g} s", retry_after_s=1.0
            ) from None
        if self._closed:
            self._beside(_closed(session))
            raise _closing()
        return session, False

    async def _place(self, timeout_s: float) -> None:
        if self._closed:
            raise _closing()
        if self._places.locked() and self._waiting >= self._settings.waiting_max:
            raise self._too_busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                await self._places.acquire()
        except TimeoutError:
            raise self._too_busy() from None
        finally:
            self._waiting -= 1
        if self._closed:
            self._places.release()
            raise _closing()

    def _too_busy(self) -> IntegrationUnavailable:
        places = self._settings.places
        return IntegrationUnavailable(f"all {places} connections to the database are busy", retry_after_s=1.0)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tidying.add(task)
        task.add_done_callback(self._tidied)

    def _tidied(self, task: asyncio.Task[None]) -> None:
        self._tidying.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a database session was not tidied up well: %s", type(error).__name__)

    async def _settle(self, session: SessionT) -> None:
        try:
            if session.running:
                await _stopped(session)
            elif not self._closed and await _renewed(session) and not self._closed:
                self._keep(session)
            else:
                await _closed(session)
        finally:
            self._busy -= 1
            self._places.release()

    def _keep(self, session: SessionT) -> None:
        loop = asyncio.get_running_loop()
        self._idle.append((loop.time(), session))
        if self._sweep is None:
            self._sweep = loop.call_later(self._settings.idle_s, self._close_old)

    def _close_old(self) -> None:
        """The oldest are first in the list: the newest is lent first."""
        loop, idle_s = asyncio.get_running_loop(), self._settings.idle_s
        while len(self._idle) > self._settings.kept and loop.time() - self._idle[0][0] >= idle_s:
            self._beside(_closed(self._idle.pop(0)[1]))
        more = len(self._idle) > self._settings.kept
        wait_s = max(self._idle[0][0] + idle_s - loop.time(), 0.1) if more else 0.0
        self._sweep = loop.call_later(wait_s, self._close_old) if more else None


async def _renewed(session: Session) -> bool:
    """Whether it can be lent again."""
    try:
        async with asyncio.timeout(TIDY_S):
            await session.renew()
    except (InterchangeError, SessionLost, TimeoutError):
        return False
    return True


async def _stopped(session: Session) -> None:
    try:
        with contextlib.suppress(InterchangeError, SessionLost, TimeoutError):
            async with asyncio.timeout(TIDY_S):
                await session.stop()
    finally:
        await _closed(session)


async def _closed(session: Session) -> None:
    with contextlib.suppress(InterchangeError, SessionLost, TimeoutError):
        async with asyncio.timeout(TIDY_S):
            await session.close()


def _closing() -> IntegrationUnavailable:
    return IntegrationUnavailable("the integration is being closed", retry_after_s=1.0)
