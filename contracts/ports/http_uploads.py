"""Request bodies too large for memory: what every `HttpTransport` promises about them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from application.ports.http import BodySource, Endpoint, HttpRequest, HttpTransport, TransportFailed
from contracts.ports._base import PortContract
from contracts.ports.http import Peer, Serve

PIECE = bytes(range(256)) * 256
PATIENCE_S = 5.0


class Pieces(BodySource):
    """`count` pieces, declared with `size_bytes`; counts what was asked for."""

    def __init__(self, count: int, *, size_bytes: int | None = None) -> None:
        self.count = count
        self.size_bytes = len(PIECE) * count if size_bytes is None else size_bytes
        self.given = 0
        self.times = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        self.times += 1
        for _ in range(self.count):
            self.given += 1
            yield PIECE
            await asyncio.sleep(0)


def upload(endpoint: Endpoint, source: BodySource) -> HttpRequest:
    """A POST of a source, with bounded waits."""
    return HttpRequest(
        "POST",
        endpoint,
        "/v1/files",
        (("content-type", "application/octet-stream"),),
        body_idle_timeout_s=PATIENCE_S,
        total_timeout_s=PATIENCE_S,
        source=source,
    )


class HttpUploadContract(PortContract):
    """Bind `transport` and `serve` as in `HttpTransportContract`."""

    @pytest.fixture
    def transport(self) -> HttpTransport:
        raise NotImplementedError

    @pytest.fixture
    def serve(self) -> Serve:
        raise NotImplementedError

    async def test_every_byte_arrives_under_its_declared_length(
        self, transport: HttpTransport, serve: Serve
    ) -> None:
        async def script(peer: Peer) -> None:
            while True:
                received = await peer.request()
                await peer.answer(b"%d" % len(received.body))

        async with serve(script) as server:
            response = await transport.send(upload(server.endpoint, Pieces(20)))
            body = await response.read()
            (received,) = server.requests

        assert body == b"%d" % (20 * len(PIECE))
        assert received.body == PIECE * 20
        assert received.header("content-length") == str(20 * len(PIECE))

    async def test_the_connection_serves_the_next_request(
        self, transport: HttpTransport, serve: Serve
    ) -> None:
        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.answer(b"ok")

        async with serve(script) as server:
            for _ in range(3):
                response = await transport.send(upload(server.endpoint, Pieces(2)))
                assert await response.read() == b"ok"

            assert server.connections == 1

    async def test_a_slow_peer_slows_the_source_down(self, transport: HttpTransport, serve: Serve) -> None:
        source = Pieces(1024)
        seen = 0

        async def script(peer: Peer) -> None:
            nonlocal seen
            # Without anyone reading, the source stops far before its end.
            while source.given != seen or seen == 0:
                seen = source.given
                await asyncio.sleep(0.1)
            received = await peer.request()
            await peer.answer(b"%d" % len(received.body))

        async with serve(script) as server:
            response = await transport.send(upload(server.endpoint, source))
            body = await response.read()

        assert body == b"%d" % (1024 * len(PIECE))
        assert seen < 1024

    async def test_a_dead_connection_is_replaced_and_the_body_begins_again(
        self, transport: HttpTransport, serve: Serve
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(b"ok")
            peer.reset()

        async with serve(script) as server:
            first = await transport.send(upload(server.endpoint, Pieces(1)))
            await first.read()
            again = Pieces(2)
            second = await transport.send(upload(server.endpoint, again))

            assert await second.read() == b"ok"
            assert server.requests[-1].body == PIECE * 2

    async def test_a_body_of_another_size_than_declared_fails(
        self, transport: HttpTransport, serve: Serve
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.gone()

        async with serve(script) as server:
            with pytest.raises(TransportFailed):
                # A client that does not count what it sends waits until its time is up.
                short = upload(server.endpoint, Pieces(1, size_bytes=2 * len(PIECE)))
                await transport.send(short._replace(body_idle_timeout_s=1.0, total_timeout_s=1.0))

    async def test_it_works_after_a_cancelled_upload(self, transport: HttpTransport, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            if peer.number == 0:
                await asyncio.sleep(0.1)
                await peer.gone()
            else:
                await peer.request()
                await peer.answer(b"ok")

        async with serve(script) as server:
            sending = asyncio.create_task(transport.send(upload(server.endpoint, Pieces(1024))))
            await asyncio.sleep(0.05)
            sending.cancel()
            await asyncio.wait([sending])

            response = await transport.send(upload(server.endpoint, Pieces(1)))

            assert await response.read() == b"ok"
