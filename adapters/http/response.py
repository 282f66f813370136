"""A response on its way in: what has arrived, what the reader waits for, and how it ended."""

import asyncio
from abc import abstractmethod
from typing import Final, NoReturn, Protocol

from application.ports.http import HttpResponse, TransportFailed, TransportStage

WAKE_ON_HEADERS: Final = 0
WAKE_ON_BYTES: Final = 1
WAKE_ON_END: Final = 2


class ResponseSource(Protocol):
    """The connection, as its response sees it."""

    @abstractmethod
    def expect_body(self) -> None:
        """A reader starts to wait for body bytes."""
        ...

    @abstractmethod
    def resume(self) -> None:
        """There is room for more of the body."""
        ...

    @abstractmethod
    def abandon(self, stage: TransportStage, reason: str) -> None:
        """Nobody wants the rest; never waits."""
        ...


class StreamlinedResponse(HttpResponse):
    """One exchange as its reader sees it. The connection fills it, the reader empties it.

    Once complete it owns its bytes and no longer refers to the connection, which by then may serve
    somebody else. One reader at a time.
    """

    __slots__ = (
        "_loop",
        "body_idle_timeout_s",
        "chunks",
        "collected_bytes_max",
        "complete",
        "connection",
        "failure",
        "headers",
        "status",
        "total_deadline",
        "unread_bytes",
        "waiter",
        "wake_on",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: ResponseSource,
        body_idle_timeout_s: float | None,
        total_deadline: float,
        collected_bytes_max: int,
    ) -> None:
        self._loop = loop
        self.connection: ResponseSource | None = connection
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []
        self.unread_bytes = 0
        self.complete = False
        self.failure: tuple[TransportStage, str] | None = None
        self.waiter: asyncio.Future[None] | None = None
        self.wake_on = WAKE_ON_HEADERS
        self.body_idle_timeout_s = body_idle_timeout_s
        self.total_deadline = total_deadline
        self.collected_bytes_max = collected_bytes_max

    async def read(self) -> bytes:
        if not self.complete:
            if self.connection is not None and self.unread_bytes <= self.collected_bytes_max:
                self.connection.resume()
                await self.wait(WAKE_ON_END)
            if not self.complete:
                self._raise_failure()
        if self.unread_bytes > self.collected_bytes_max:
            self._raise_failure()
        return self._take()

    async def next_chunk(self) -> bytes:
        if not self.chunks:
            if not self.complete and self.connection is not None:
                await self.wait(WAKE_ON_BYTES)
            if not self.chunks:
                if not self.complete:
                    self._raise_failure()
                return b""
        data = self._take()
        if self.connection is not None:
            self.connection.resume()
        return data

    def close(self) -> None:
        connection = self.connection
        if connection is not None:
            connection.abandon(TransportStage.BODY, "the response was closed before its end")
        elif not self.complete and self.failure is None:
            self.failure = (TransportStage.BODY, "the response was closed before its end")
        self.chunks.clear()
        self.unread_bytes = 0

    async def wait(self, wake_on: int) -> None:
        """Until what was asked for is here, or the exchange ended either way."""
        connection = self.connection
        assert self.waiter is None, "a response has one reader at a time"
        waiter = self.waiter = self._loop.create_future()
        self.wake_on = wake_on
        if wake_on != WAKE_ON_HEADERS and connection is not None:
            connection.expect_body()
        try:
            await waiter
        except BaseException:
            # Cancelled: the peer must learn that nobody wants the answer any more.
            if self.connection is not None:
                self.connection.abandon(TransportStage.BODY, "the reader was cancelled")
            raise
        finally:
            self.waiter = None

    def wake(self) -> None:
        """Lets the reader look, if one waits."""
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _take(self) -> bytes:
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.chunks = []
        self.unread_bytes = 0
        return data

    def _raise_failure(self) -> NoReturn:
        if self.failure is None:
            if self.connection is not None:
                self.connection.abandon(TransportStage.BODY, "the body is over the limit")
            raise TransportFailed(TransportStage.BODY, "the body is over the limit")
        stage, message = self.failure
        raise TransportFailed(stage, message)
