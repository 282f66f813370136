"""HTTP/1.1 as the simulated provider speaks it."""

import asyncio
import contextlib
import json
from collections.abc import Callable

import pytest

from entrypoints.simulator.connection import HEADER_BYTES_MAX
from entrypoints.simulator.server import SimulatedProvider


def request(
    content: bytes = b"", *, method: str = "POST", path: str = "/v1/chat/completions", more: str = ""
) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer k\r\n{more}"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


def chat(text: str, *, stream: bool = False) -> bytes:
    body = {"model": "small", "stream": stream, "messages": [{"role": "user", "content": text}]}
    return json.dumps(body).encode()


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.decode().splitlines():
            if line.startswith("content-length: "):
                return head, await reader.readexactly(int(line.split(": ")[1]))
        return head, await reader.readuntil(b"0\r\n\r\n")


async def test_pipelined_requests_are_answered_in_order(provider: SimulatedProvider) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
    provider.latency(ttft_ms=5, match={"stream": True})

    writer.write(b"".join(request(chat(f"question {n}", stream=n % 3 == 0)) for n in range(60)))

    for number in range(60):
        _, body = await read_answer(reader)
        text = body.decode()
        assert f"question {number}." in text or number % 3 == 0
        assert text.startswith("{") is (number % 3 != 0)
    writer.close()
    assert provider.stats["answered"] == 60 and provider.stats["in_flight"] == 0


async def test_a_request_in_small_parts_is_understood(provider: SimulatedProvider) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)

    for byte in request(chat("hi")):
        writer.write(bytes([byte]))
        await writer.drain()

    head, _ = await read_answer(reader)
    assert head.startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_a_chunked_request_body_is_understood(provider: SimulatedProvider) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
    content = chat("hi")
    head = b"POST /v1/chat/completions HTTP/1.1\r\nx-api-key: k\r\ntransfer-encoding: chunked\r\n\r\n"

    writer.write(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content))

    assert (await read_answer(reader))[0].startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_an_expected_continue_is_given(provider: SimulatedProvider) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
    content = chat("hi")
    whole = request(content, more="expect: 100-continue\r\n")

    writer.write(whole[: -len(content)])
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(content)

    assert (await read_answer(reader))[0].startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_connection_close_is_honoured(provider: SimulatedProvider) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)

    writer.write(request(chat("hi"), more="connection: close\r\n"))

    head, _ = await read_answer(reader)
    assert b"connection: close\r\n" in head
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (request(more=f"x-long: {'x' * HEADER_BYTES_MAX}\r\n"), b"431"),
    ],
)
async def test_what_is_not_http_or_too_long_is_refused(
    provider: SimulatedProvider, data: bytes, status: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)

    writer.write(data)

    with contextlib.suppress(ConnectionResetError):
        assert (await reader.read(13))[9:12] == status
    writer.close()


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff\xfe", b'{"model": 5}', b'{"model":"m","messages":[1]}']
)
async def test_a_body_that_cannot_be_read_is_a_400(provider: SimulatedProvider, content: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)

    writer.write(request(content))

    head, body = await read_answer(reader)
    assert head.startswith(b"HTTP/1.1 400 ") and b'"error"' in body
    writer.close()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_is_noticed_and_counted(provider: SimulatedProvider, stream: bool) -> None:
    provider.latency(ttft_ms=60_000)
    _, writer = await asyncio.open_connection("127.0.0.1", provider.port)
    writer.write(request(chat("hi", stream=stream), path="/alpha/v1/chat/completions"))
    await until(lambda: provider.stats["in_flight"] == 1)

    writer.close()

    await until(lambda: provider.stats["in_flight"] == 0)
    assert provider.stats["client_disconnects"] == 1
    assert provider.stats["providers"]["alpha"]["client_disconnects"] == 1
    assert provider.bill["interrupted"]["requests"] == 1


async def test_an_idle_connection_that_closes_is_no_disconnect(provider: SimulatedProvider) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
    writer.write(request(chat("hi")))
    await read_answer(reader)

    writer.close()

    await until(lambda: provider.stats["connections_open"] == 0)
    assert provider.stats["client_disconnects"] == 0


async def test_a_reader_who_stops_reading_holds_the_stream_back(provider: SimulatedProvider) -> None:
    provider.answer(tokens=60_000)
    provider.latency(ttft_ms=1)
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port, limit=1024)
    writer.write(request(chat("hi", stream=True)))
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.1)

    assert provider.stats["in_flight"] == 1

    writer.close()
    await until(lambda: provider.stats["in_flight"] == 0)
    assert 0 < provider.bill["interrupted"]["output_tokens"] < 60_000


async def test_peak_in_flight_is_kept(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "silence"})
    writers = []
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", provider.port)
        writer.write(request(chat("hi")))
        writers.append(writer)
    await until(lambda: provider.stats["in_flight"] == 5)

    for writer in writers:
        writer.close()

    await until(lambda: provider.stats["in_flight"] == 0)
    assert provider.stats["peak_in_flight"] == 5


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.002)
