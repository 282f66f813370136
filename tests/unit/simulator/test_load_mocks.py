"""The upstreams of load runs: what they answer, and that their bill is right."""

import asyncio
import json
import shutil
from decimal import Decimal

import aiohttp
import pytest

from benchmarks.mock.canned import INPUT_TOKENS, STREAM_OUTPUT_TOKENS, UNARY_OUTPUT_TOKENS, MockPrice
from benchmarks.mock.nginx_mock import NginxMock, bill_between, price_of
from benchmarks.mock.stream_mock import StreamMock
from tests.conftest import missing

PRICE = MockPrice(Decimal("0.1"), Decimal("0.4"))
EACH_UNARY = INPUT_TOKENS * 100 + UNARY_OUTPUT_TOKENS * 400
EACH_STREAM = INPUT_TOKENS * 100 + STREAM_OUTPUT_TOKENS * 400


def body(*, stream: bool) -> dict[str, object]:
    return {"model": "mock", "stream": stream, "messages": [{"role": "user", "content": "x" * 1000}]}


@pytest.mark.parametrize("separate", [False, True])
async def test_the_stream_mock_sends_all_events_and_bills_them(separate: bool) -> None:
    mock = StreamMock(separate=separate, price=PRICE)
    await mock.start()

    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.post(mock.url + "/v1/chat/completions", json=body(stream=True)) as response:
                events = (await response.text()).split("\n\n")
        async with session.post(mock.url + "/v1/chat/completions", json=body(stream=False)) as response:
            unary = await response.json()
        async with session.get(mock.url + "/mock/bill") as response:
            bill = await response.json()
    await mock.stop()

    assert len(events) == 63 and events[61:] == ["data: [DONE]", ""]
    assert json.loads(events[60][6:])["usage"]["completion_tokens"] == STREAM_OUTPUT_TOKENS
    assert unary["usage"]["completion_tokens"] == UNARY_OUTPUT_TOKENS
    assert (bill["requests"], bill["answered"], bill["streams"], bill["cut"]) == (4, 4, 3, 0)
    assert bill["cost_nano_usd"] == 3 * EACH_STREAM + EACH_UNARY


async def test_the_stream_mock_counts_callers_who_leave() -> None:
    mock = StreamMock(event_ms=50)
    await mock.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
    content = json.dumps(body(stream=True)).encode()
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
    await reader.readuntil(b"token0")

    writer.close()

    async with asyncio.timeout(5):
        while mock.in_flight:  # noqa: ASYNC110 - the mock has no event for it
            await asyncio.sleep(0.002)
    assert (mock.bill()["cut"], mock.bill()["answered"]) == (1, 0)
    await mock.stop()


async def test_the_stream_mock_answers_pipelined_requests() -> None:
    mock = StreamMock(delay_ms=1)
    await mock.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)

    writer.write(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}" * 20)

    async with asyncio.timeout(5):
        for _ in range(20):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1024)
    writer.close()
    assert mock.bill()["unary"] == 20
    await mock.stop()


def test_nginx_answers_and_its_bill_follows_from_its_counter() -> None:
    if shutil.which("nginx") is None and shutil.which("nginx", path="/usr/sbin") is None:
        missing("nginx")

    async def call(url: str) -> list[int]:
        async with aiohttp.ClientSession() as session:
            sizes = []
            for _ in range(5):
                async with session.post(url + "/v1/chat/completions", json=body(stream=False)) as response:
                    assert (await response.json())["object"] == "chat.completion"
                    sizes.append(response.content_length or 0)
            return sizes

    with NginxMock() as mock:
        before = mock.reading()
        sizes = asyncio.run(call(mock.url))
        bill = bill_between(before, mock.reading(), price_of("0.1", "0.4"))

    assert sizes == [1024] * 5
    assert bill["requests"] == 5
    assert bill["cost_nano_usd"] == 5 * EACH_UNARY
