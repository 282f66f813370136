"""A result in pieces whose end settles the call, however it comes."""

import asyncio
from collections.abc import Callable, Sequence

from application.ports.connector import ByteStream
from application.ports.system import Clock
from application.tools.halting import Halting
from domain.errors import InterchangeError, ToolTimeout

Over = Callable[[int, int, BaseException | None], None]
"""(bytes sent, in how many pieces, what ended it early)."""


class EndingStream:
    """Read it to its end or close it. `over` is called exactly once."""

    def __init__(
        self, inner: ByteStream, over: Over, clock: Clock, ends_at_s: float, halting: Halting
    ) -> None:
        """`ends_at_s` in monotonic seconds: no piece is waited for any longer."""
        self.content_type = inner.content_type
        self.headers: Sequence[tuple[str, str]] = inner.headers
        self._inner = inner
        self._over: Over | None = over
        self._clock = clock
        self._ends_at_s = ends_at_s
        self._halting = halting
        self._sent = self._pieces = 0

    async def next_chunk(self) -> bytes:
        """At least one byte; `b""` at the natural end. Raises as `Connector.stream`, ToolTimeout, and what
        it is halted with."""
        try:
            with self._halting:
                async with asyncio.timeout(max(0.0, self._ends_at_s - self._clock.monotonic())):
                    chunk = await self._inner.next_chunk()
        except TimeoutError:
            error = ToolTimeout("the result did not come to its end in time")
            await self._end(error)
            raise error from None
        except (InterchangeError, asyncio.CancelledError) as error:
            await self._end(error)
            raise
        except Exception as error:
            await self._end(error)
            raise
        if chunk:
            self._sent += len(chunk)
            self._pieces += 1
        else:
            await self._end(None)
        return chunk

    async def aclose(self) -> None:
        """Whoever closes it before its end left. Idempotent."""
        await self._end(asyncio.CancelledError())

    async def _end(self, error: BaseException | None) -> None:
        over, self._over = self._over, None
        if over is None:
            return
        try:
            await self._inner.aclose()
        finally:
            over(self._sent, self._pieces, error)
