"""A REST API that answers every request with the same small object and thinks of nothing.

python -m benchmarks.mock.json_mock --port 9001
"""

import argparse
import asyncio
import signal
from typing import cast

import uvloop

BODY = b'{"id": 2, "name": "Grace", "tags": ["a", "b"]}'
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
_END = b"\r\n\r\n"


class Answering(asyncio.Protocol):
    """Understands requests without a body, on connections that stay open."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None, "data comes after the connection"
        *heads, self._read = (self._read + data).split(_END)
        if heads:
            self._transport.write(_ANSWER * len(heads))


async def serve(port: int) -> None:
    """Until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(Answering, "127.0.0.1", port)
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
