"""Writing a body that is too large for memory, no faster than the peer takes it."""

import asyncio

from adapters.http.connection import Connection
from adapters.http.response import StreamlinedResponse
from application.ports.http import BodySource, HttpRequest, TransportFailed, TransportStage

WRITE_IDLE_TIMEOUT_S = 60.0
"""How long a peer may take nothing, where the request bounds no wait for bytes."""


async def send_source(
    connection: Connection,
    response: StreamlinedResponse,
    request: HttpRequest,
    source: BodySource,
    total_deadline: float,
) -> None:
    """Writes the body after its head; returns early once the peer has answered or is gone.

    Raises:
        TransportFailed: REFUSED for a body that cannot be read or has not its declared size (nobody acts on
            half a request); BODY_TIMEOUT when the peer takes no more. The connection is closed then.
    """
    try:
        whole = await _write(connection, response, request, source)
    except TimeoutError:
        connection.abandon(TransportStage.BODY_TIMEOUT, "the peer takes no more of the body")
        raise TransportFailed(
            TransportStage.BODY_TIMEOUT, "the peer takes no more of the request's body"
        ) from None
    except OSError as error:
        raise _unreadable(connection, f"the body cannot be read ({type(error).__name__})") from None
    except BaseException:
        connection.abandon(TransportStage.SEND, "the sender was cancelled")
        raise
    if response.status or response.failure is not None:
        return
    if not whole:
        raise _unreadable(connection, "the body has not the size it was declared with")
    until = total_deadline
    if request.headers_timeout_s is not None:
        until = min(until, asyncio.get_running_loop().time() + request.headers_timeout_s)
    connection.await_head(until)


async def _write(
    connection: Connection, response: StreamlinedResponse, request: HttpRequest, source: BodySource
) -> bool:
    """Whether exactly the declared bytes were written. Raises TimeoutError, and what the source raises."""
    left = source.size_bytes
    async for chunk in source.chunks():
        left -= len(chunk)
        if left < 0 or response.status or response.failure is not None:
            return False
        connection.write(chunk)
        if not connection.writable.is_set():
            async with asyncio.timeout(request.body_idle_timeout_s or WRITE_IDLE_TIMEOUT_S):
                await connection.writable.wait()
    return left == 0


def _unreadable(connection: Connection, reason: str) -> TransportFailed:
    connection.abandon(TransportStage.REFUSED, reason)
    return TransportFailed(TransportStage.REFUSED, reason)
