"""The load generator and its bodies, against the benchmark's own mock in a thread of its own."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.generator import Generator, Result, Specification
from benchmarks.mock.stream_mock import StreamMock
from benchmarks.servers import straight_shot
from benchmarks.shots import BODY_SIZES_BYTES, chat_body


@pytest.mark.parametrize("size", BODY_SIZES_BYTES.values())
@pytest.mark.parametrize("stream", [False, True])
def test_a_body_is_a_chat_of_exactly_the_wanted_size(size: int, stream: bool) -> None:
    body = chat_body("provider/model", size, stream=stream)

    chat = json.loads(body)
    assert len(body) == size
    assert chat["messages"][0]["role"] == chat["messages"][-1]["role"] == "user"
    assert chat.get("stream", False) is stream


@pytest.fixture
def mock() -> Iterator[StreamMock]:
    found: list[StreamMock] = []
    up, over = threading.Event(), threading.Event()

    async def serve() -> None:
        mock = StreamMock(separate=True)
        await mock.start()
        found.append(mock)
        up.set()
        await asyncio.get_running_loop().run_in_executor(None, over.wait, 10)
        await mock.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(5)
    yield found[0]
    over.set()
    thread.join(5)


def run(mock: StreamMock, folder: Path, *, stream: bool = False, rate: float = 0.0, **wanted: int) -> Result:
    shot = straight_shot(mock.url, 1024, stream)
    file = folder / "request"
    file.write_bytes(shot.raw())
    specification = Specification(
        host=shot.host, port=shot.port, raw_files=[str(file)], rate=rate, seconds=0.2, drain_s=5.0, **wanted
    )
    return Generator(specification).run()


def test_a_closed_loop_waits_for_everything_it_sent(mock: StreamMock, tmp_path: Path) -> None:
    result = run(mock, tmp_path, concurrency=8)

    assert result.answered == result.sent == mock.unary
    assert result.in_flight_peak == 8
    assert (result.refused, result.broken, result.unanswered) == (0, 0, 0)


def test_a_counted_load_sends_that_many_and_no_more(mock: StreamMock, tmp_path: Path) -> None:
    result = run(mock, tmp_path, concurrency=20, count_max=20)

    assert (result.sent, result.answered, mock.unary) == (20, 20, 20)


def test_an_open_loop_sends_what_is_due_at_its_rate(mock: StreamMock, tmp_path: Path) -> None:
    result = run(mock, tmp_path, rate=100.0, warm_up=2)

    assert result.sent == result.answered == 20
    assert len(result.latency_ms) == len(result.late_ms) == 5


def test_streams_are_read_to_their_end_and_their_first_token_is_timed(
    mock: StreamMock, tmp_path: Path
) -> None:
    result = run(mock, tmp_path, stream=True, concurrency=2, count_max=4)

    assert (result.answered, mock.streams) == (4, 4)
    assert 0 < result.first_content_ms[0] <= result.latency_ms[0]


def test_an_address_nobody_listens_on_counts_as_broken(mock: StreamMock, tmp_path: Path) -> None:
    file = tmp_path / "request"
    file.write_bytes(straight_shot(mock.url, 1024, False).raw())
    nobody = Specification(
        host="127.0.0.1", port=1, raw_files=[str(file)], concurrency=1, count_max=3, seconds=1.0
    )

    result = Generator(nobody).run()

    assert (result.answered, result.broken) == (0, 3)
