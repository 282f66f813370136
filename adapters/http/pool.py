"""The connections to one endpoint: the most recently used first, a bounded number, a fair queue.

Last in, first out keeps few connections warm and lets the others expire. A slot is held from the decision
to connect until the connection is gone; when all are taken, callers wait their turn and are handed either
a freed connection or a freed slot, so nobody overtakes.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from adapters.http.connection import Connection
from adapters.http.connection_owner import ConnectionOwner
from adapters.http.limits import TransportLimits
from application.ports.http import TransportFailed, TransportStage

Dial = Callable[[], Awaitable[Connection]]


class EndpointPool(ConnectionOwner[Connection]):
    """Not shared between loops. `emptied` is called when nothing is open and nobody waits."""

    __slots__ = ("_closed", "_emptied", "_idle", "_limits", "_live", "_loop", "_retired", "_waiters", "open")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: TransportLimits,
        emptied: Callable[["EndpointPool"], None],
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._emptied = emptied
        self._idle: dict[Connection, None] = {}
        self._live: set[Connection] = set()
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False
        self._retired = False
        self.open = 0
        """Slots taken: connections, and attempts to connect."""

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    def take(self, now: float) -> Connection | None:
        """The warmest idle connection, if there is one."""
        idle = self._idle
        while idle:
            connection, _ = idle.popitem()
            if connection.usable(now):
                return connection
            connection.abort()
        return None

    async def acquire(self, dial: Dial, timeout_s: float) -> Connection:
        """A connection of one's own: dialled, or handed over by someone who is done with it.

        Raises:
            TransportFailed: CONNECT when the queue is full or no turn came in time; whatever `dial` raises.
        """
        if self._closed:
            raise TransportFailed(TransportStage.CONNECT, "the transport is closed")
        give_up_at = self._loop.time() + timeout_s
        while self.open >= self._limits.connections_per_endpoint_max:
            handed = await self._turn(give_up_at - self._loop.time())
            if handed is None:
                break
            if handed.usable(self._loop.time()):
                return handed
            handed.abort()
        else:
            self.open += 1
        try:
            connection = await dial()
        except BaseException:
            self._slot_freed()
            raise
        if self._closed or connection.closed:
            connection.abort()
            self._slot_freed()
            raise TransportFailed(TransportStage.CONNECT, "the connection was closed as soon as it was open")
        connection.owner = self
        self._live.add(connection)
        return connection

    def released(self, connection: Connection) -> None:
        connection.rest(self._loop.time())
        if self._retired:
            connection.abort()
            return
        waiters = self._waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle[connection] = None

    def lost(self, connection: Connection) -> None:
        self._idle.pop(connection, None)
        self._live.discard(connection)
        self._slot_freed()

    def retire(self) -> None:
        """Uses no connection for another request; those in use end with theirs, who waits dials."""
        self._retired = True
        for connection in list(self._idle):
            connection.abort()
        self._idle.clear()

    def close(self) -> None:
        """Closes every connection and refuses everyone who waits."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(TransportFailed(TransportStage.CONNECT, "the transport is closed"))
        self._waiters.clear()
        for connection in list(self._live):
            connection.shut("the transport was closed")

    def _slot_freed(self) -> None:
        waiters = self._waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the slot passes on, so `open` stays
                return
        self.open -= 1
        if not self.open:
            self._emptied(self)

    async def _turn(self, timeout_s: float) -> Connection | None:
        """A connection, or None for a slot."""
        if self.waiting >= self._limits.waiters_per_endpoint_max:
            raise TransportFailed(TransportStage.CONNECT, "too many callers wait for a connection")
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter
        except BaseException as error:
            self._give_back(waiter)
            if isinstance(error, TimeoutError):
                raise TransportFailed(TransportStage.CONNECT, "no connection became free in time") from None
            raise

    def _give_back(self, waiter: "asyncio.Future[Connection | None]") -> None:
        """The caller left: what was handed to it in the same moment goes to the next."""
        if not waiter.done() or waiter.cancelled():
            try:
                self._waiters.remove(waiter)
            except ValueError:
                pass
        elif waiter.exception() is None:
            connection = waiter.result()
            if connection is None:
                self._slot_freed()
            elif not connection.closed:
                self.released(connection)
