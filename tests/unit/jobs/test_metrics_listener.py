"""The port of its own for metrics: who may read it, and what it bears."""

import asyncio

import pytest

from application.ports.telemetry import MetricsPage
from domain.tenancy.networks import parse_networks
from entrypoints.jobs.metrics_listener import CONNECTIONS_MAX, HEAD_BYTES_MAX, MetricsListener


class FixedPage(MetricsPage):
    """A page that can be away."""

    def __init__(self) -> None:
        self.broken = False

    async def page(self) -> bytes:
        if self.broken:
            raise OSError("no data directory")
        return b"interchange_workers{} 1\n"


async def fetched(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


SCRAPE = b"GET /metrics?x=1 HTTP/1.1\r\nhost: localhost:9090\r\n\r\n"


async def test_the_page_goes_to_networks_that_may_read_it_and_nowhere_else() -> None:
    for network, begins in (("127.0.0.0/8", b"HTTP/1.1 200 OK"), ("10.0.0.0/8", b"")):
        listener = MetricsListener(FixedPage(), parse_networks([network], "networks"))
        port = await listener.start("127.0.0.1", 0)
        answer = await fetched(port, SCRAPE)
        await listener.aclose()

        assert answer[: len(begins)] == begins
        assert answer.endswith(b"interchange_workers{} 1\n" if begins else b"")


@pytest.mark.parametrize(
    "request_bytes",
    [b"\x00\xff\r\n\r\n", b"GET /metrics", b"x" * (2 * HEAD_BYTES_MAX) + b"\r\n\r\n", b""],
    ids=["garbage", "no end", "too long", "nothing"],
)
async def test_what_is_no_request_ends_the_connection_and_not_the_listener(request_bytes: bytes) -> None:
    listener = MetricsListener(FixedPage(), parse_networks(["127.0.0.1"], "networks"))
    port = await listener.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_bytes)
    writer.write_eof()
    try:
        assert b" 200 " not in await reader.read()
    except ConnectionError:
        pass  # the rest of what was sent was not read
    writer.close()

    assert (await fetched(port, SCRAPE)).startswith(b"HTTP/1.1 200")
    await listener.aclose()


async def test_a_page_that_cannot_be_made_ends_one_scrape_only() -> None:
    page = FixedPage()
    listener = MetricsListener(page, parse_networks(["127.0.0.1"], "networks"))
    port = await listener.start("127.0.0.1", 0)
    page.broken = True
    assert await fetched(port, SCRAPE) == b""
    page.broken = False

    assert (await fetched(port, SCRAPE)).startswith(b"HTTP/1.1 200")
    await listener.aclose()


async def test_connections_that_wait_are_bounded_and_end_with_the_listener() -> None:
    listener = MetricsListener(FixedPage(), parse_networks(["127.0.0.1"], "networks"))
    port = await listener.start("127.0.0.1", 0)
    waiting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
    assert await fetched(port, SCRAPE) == b"", "one too many"

    await listener.aclose()
    for reader, writer in waiting:
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("host", ["rebound.example:9090", "localhost.example", "", "127.0.0.1.example"])
async def test_a_name_that_was_made_to_lead_to_this_machine_gets_no_page(host: str) -> None:
    listener = MetricsListener(FixedPage(), parse_networks(["127.0.0.1"], "networks"))
    port = await listener.start("127.0.0.1", 0)
    answer = await fetched(port, f"GET /metrics HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
    told = [await fetched(port, f"GET /metrics HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            for name in ("127.0.0.1:1", "localhost", "[::1]:9")]  # fmt: skip
    await listener.aclose()

    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"interchange" not in answer
    assert all(each.startswith(b"HTTP/1.1 200 ") for each in told)


async def test_who_never_reads_the_page_does_not_keep_the_listener_from_ending() -> None:
    page = LargePage()
    listener = MetricsListener(page, parse_networks(["127.0.0.1"], "networks"))
    port = await listener.start("127.0.0.1", 0)
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(SCRAPE)
    await page.asked.wait()

    async with asyncio.timeout(20):  # it waited for ever
        await listener.aclose()

    writer.transport.abort()


class LargePage(MetricsPage):
    """More than connections hold on the way, and whether it was asked for."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def page(self) -> bytes:
        asyncio.get_running_loop().call_later(0.05, self.asked.set)
        return b"#" * (64 * 1024 * 1024)
