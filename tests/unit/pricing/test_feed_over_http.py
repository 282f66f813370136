"""A feed over real HTTP on loopback: chunked, cut and oversized."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.pricing import feed_sources
from adapters.pricing.feed_sources import PublicFeeds
from domain.errors import InvalidRequest, StoreUnavailable

FEED = b'{"acme/small": {"litellm_provider": "acme", "input_cost_per_token": 1e-06}}'

Serve = Callable[[bytes], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server that answers every request with these bytes and hangs up; gives its URL."""
    servers: list[asyncio.Server] = []

    async def start(answer: bytes) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/prices.json"

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def feeds() -> AsyncIterator[PublicFeeds]:
    transport = StreamlinedTransport()
    yield PublicFeeds(transport)
    await transport.aclose()


async def load(feeds: PublicFeeds, url: str) -> list[str]:
    async with asyncio.timeout(10):
        return list((await feeds.url("litellm", url, on=date(2026, 11, 20)).load()).offerings)


async def test_a_chunked_feed_arrives_whole(serve: Serve, feeds: PublicFeeds) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (FEED[:20], FEED[20:]))
    url = await serve(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")

    assert await load(feeds, url) == ["acme/small"]


async def test_a_feed_that_is_cut_is_unavailable_not_short(serve: Serve, feeds: PublicFeeds) -> None:
    url = await serve(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n" + FEED)

    with pytest.raises(StoreUnavailable):
        await load(feeds, url)


async def test_a_redirect_is_not_followed(serve: Serve, feeds: PublicFeeds) -> None:
    url = await serve(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")

    with pytest.raises(StoreUnavailable, match="302"):
        await load(feeds, url)


async def test_a_feed_that_does_not_end_is_dropped(
    serve: Serve, feeds: PublicFeeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_sources, "FEED_BYTES_MAX", 50)
    url = await serve(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 100_000)

    with pytest.raises(InvalidRequest, match="over 50 bytes"):
        await load(feeds, url)
