"""The metrics page on a port of its own, answered by the supervisor: for scrapers that have no key.

There is nothing else on this port, and whoever does not come from an allowed network learns nothing. What
workers counted is read from the data directory, so the page is there whichever of them hang or have ended.
"""

import asyncio
import contextlib
import gzip
import logging
from http import HTTPStatus
from typing import Final

from application.ports.telemetry import MetricsPage
from domain.tenancy.networks import Networks, parse_networks
from entrypoints.http.health import GZIP_LEVEL, METRICS_TYPE, takes_gzip
from entrypoints.http.page_origins import is_loopback

log = logging.getLogger("interchange")

PATH: Final = "/metrics"
HEAD_BYTES_MAX: Final = 8192
HEAD_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0
CONNECTIONS_MAX: Final = 16
_LOOPBACK: Final = parse_networks(("127.0.0.0/8", "::1"), "loopback")


class MetricsListener:
    """Order of life: `start`, `aclose`. One page is made at a time; connections end with their answer."""

    def __init__(self, page: MetricsPage, networks: Networks) -> None:
        self._page = page
        self._networks = networks
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    async def start(self, host: str, port: int) -> int:
        """Listens; answers the port. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=HEAD_BYTES_MAX)
        return int(self._server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        """Ends every connection. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if len(self._connections) >= CONNECTIONS_MAX or not peer or not self._networks.holds(peer[0]):
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_TIMEOUT_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            writer.transport.set_write_buffer_limits(0)  # to drain is to have all of a page taken
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                writer.write(await self._answer(head, writer.get_extra_info("peername")[0]))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            writer.transport.abort()
            log.debug("a scraper was not answered: %r", error)
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        except Exception:  # a page that cannot be made must not end the supervisor
            log.exception("the metrics page could not be made")
        finally:
            await _closed(writer)

    async def _answer(self, head: str, peer: str) -> bytes:
        line, _, rest = head.partition("\r\n")
        method, _, target = line.partition(" ")
        if target.split(" ")[0].partition("?")[0] != PATH:
            return _response(HTTPStatus.NOT_FOUND, b"only /metrics is here\n")
        if method not in ("GET", "HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET and HEAD\n", "allow: GET, HEAD")
        if _LOOPBACK.holds(peer) and not is_loopback(_field(rest, "host").strip()):
            # A page of somebody else's, open in a browser here, whose name was made to lead to this machine.
            return _response(HTTPStatus.MISDIRECTED_REQUEST, b"from this machine: ask localhost\n")
        async with self._turn:
            content = await self._page.page()
        fields = ["vary: accept-encoding"]
        if takes_gzip(_field(rest, "accept-encoding")):
            content = await asyncio.to_thread(gzip.compress, content, GZIP_LEVEL)
            fields.append("content-encoding: gzip")
        return _response(HTTPStatus.OK, content, *fields, body=method == "GET")


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Closing waits until the last of an answer is taken; who does not read is not waited for longer."""
    writer.close()
    try:
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await writer.wait_closed()
    finally:
        writer.transport.abort()


def _field(head: str, wanted: str) -> str:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == wanted:
            return value
    return ""


def _response(status: HTTPStatus, content: bytes, *fields: str, body: bool = True) -> bytes:
    kind = METRICS_TYPE if status is HTTPStatus.OK else "text/plain"
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"content-type: {kind}",
        f"content-length: {len(content)}",
        "cache-control: no-store",
        "connection: close",
        *fields,
    )
    return "\r\n".join((*lines, "", "")).encode() + (content if body else b"")
