"""One connection to an upstream server, kept by a task of its own and shared by all calls.

The library's client lives in the task that opened it; calls come from others.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from domain.errors import IntegrationUnavailable, InterchangeError

log = logging.getLogger("interchange")

CONNECT_TIMEOUT_S: Final = 15.0
CLOSE_TIMEOUT_S: Final = 3.0

MakeClient = Callable[[], AbstractAsyncContextManager[Any]]


class McpSession:
    """`client` opens it where it is not open. Belongs to one event loop."""

    def __init__(self, make: MakeClient, why: Callable[[BaseException], InterchangeError]) -> None:
        """`make` opens a client; `why` tells what an exception of it means."""
        self._make = make
        self._why = why
        self._opening = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._client: Any = None
        self._over = asyncio.Event()
        self._closed = False

    async def client(self) -> Any:
        """The connected client. Raises IntegrationUnavailable, EgressRefused."""
        if self._client is not None and self._keeper is not None and not self._keeper.done():
            return self._client
        async with self._opening:
            if self._closed:
                raise IntegrationUnavailable("the integration was closed")
            if self._client is not None and self._keeper is not None and not self._keeper.done():
                return self._client
            loop = asyncio.get_running_loop()
            ready: asyncio.Future[Any] = loop.create_future()
            self._over = asyncio.Event()
            self._keeper = loop.create_task(self._keep(ready, self._over))
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    self._client = await ready
            except TimeoutError:
                await self._end()
                raise IntegrationUnavailable("the MCP server does not answer in time") from None
            except asyncio.CancelledError:
                await self._end()
                raise
            return self._client

    async def drop(self, client: Any) -> None:
        """This connection is of no use any more; the next call opens another."""
        if client is self._client:
            await self._end()

    async def aclose(self) -> None:
        """Idempotent; never raises."""
        self._closed = True
        await self._end()

    async def _end(self) -> None:
        keeper, self._keeper, self._client = self._keeper, None, None
        if keeper is None:
            return
        self._over.set()
        done, _ = await asyncio.wait({keeper}, timeout=CLOSE_TIMEOUT_S)
        if not done:
            keeper.cancel()
            await asyncio.wait({keeper}, timeout=CLOSE_TIMEOUT_S)

    async def _keep(self, ready: asyncio.Future[Any], over: asyncio.Event) -> None:
        try:
            async with self._make() as client:
                if not ready.done():
                    ready.set_result(client)
                await over.wait()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - groups of the library hold anything
            if not ready.done():
                ready.set_exception(self._why(error))
            elif not over.is_set():
                log.info("a connection to an MCP server ended: %s", type(error).__name__)
