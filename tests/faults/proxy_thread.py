"""A `FaultProxy` with an event loop of its own, for tests whose own code is not asynchronous."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from tests.faults.proxy import Fault, FaultProxy

T = TypeVar("T")
WITHIN_S = 10.0


class ProxyThread:
    """Use as a context manager."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on this machine."""
        self._proxy = FaultProxy("127.0.0.1", port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def port(self) -> int:
        return self._proxy.port

    def become(self, fault: Fault) -> None:
        """From now on, for open connections too."""

        async def on_the_loop() -> None:
            self._proxy.fault = fault

        self._run(on_the_loop())

    def reset_all(self) -> None:
        """Every open connection breaks."""

        async def on_the_loop() -> None:
            self._proxy.reset_all()

        self._run(on_the_loop())

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._proxy.__aenter__())
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._run(self._proxy.__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(WITHIN_S)
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WITHIN_S)
