"""Run as a program: takes every file descriptor, calls out, gives them back, calls out again.

    python -m tests.faults.exhaust_descriptors streamlined

Prints the stage of the failure and the answer after it; a separate process, because nothing else in a
process survives this.
"""

import asyncio
import os
import resource
import sys

from adapters.http.aiohttp_transport import AiohttpTransport
from adapters.http.transport import StreamlinedTransport
from application.ports.http import HttpTransport, TransportFailed
from contracts.ports.http import fetch, post
from tests.faults.scripted_server import ScriptedServer

_DESCRIPTORS_MAX = 64


async def main(kind: str) -> None:
    """Fails in exactly one way at the limit, and works again below it."""
    transport: HttpTransport = StreamlinedTransport() if kind == "streamlined" else AiohttpTransport()
    async with ScriptedServer() as server:
        assert await fetch(transport, post(server.endpoint, b"warm")) == b"warm"
        held = []
        try:
            while True:
                held.append(os.dup(0))
        except OSError:
            pass
        # Several at once, so that one at most can use the warm connection.
        calls = [fetch(transport, post(server.endpoint, b"x", connect_timeout_s=2.0)) for _ in range(5)]
        for result in await asyncio.gather(*calls, return_exceptions=True):
            print(result.stage.value if isinstance(result, TransportFailed) else repr(result))
        for descriptor in held:
            os.close(descriptor)
        print((await fetch(transport, post(server.endpoint, b"alive"))).decode())
    await transport.aclose()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS_MAX, _DESCRIPTORS_MAX))
    asyncio.run(main(sys.argv[1]))
