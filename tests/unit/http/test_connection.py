"""A connection fed byte by byte: however the bytes are cut or spoilt, it ends in exactly one way."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.http.connection import Connection
from adapters.http.connection_owner import ConnectionOwner
from adapters.http.limits import TransportLimits
from adapters.http.response import StreamlinedResponse
from application.ports.http import Endpoint, HttpRequest, TransportStage

ENDPOINT = Endpoint("http", "upstream.test", 80)
HEAD = b"HTTP/1.1 200 OK\r\n"


class RecordingTransport(asyncio.Transport):
    """Takes what is written; never calls back by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False
        self.paused = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.paused += 1

    def resume_reading(self) -> None:
        self.paused -= 1


class RecordingOwner(ConnectionOwner[Connection]):
    def __init__(self) -> None:
        self.told: list[str] = []

    def released(self, connection: Connection) -> None:
        self.told.append("released")

    def lost(self, connection: Connection) -> None:
        self.told.append("lost")


class Wire:
    """A connection with a request under way."""

    def __init__(self, method: str = "POST", limits: TransportLimits | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.owner = RecordingOwner()
        self.transport = RecordingTransport()
        self.limits = limits if limits is not None else TransportLimits()
        self.connection = Connection(self.loop, self.limits)
        self.connection.owner = self.owner
        self.connection.connection_made(self.transport)
        self.method = method
        self.response = self.ask()

    def ask(self) -> StreamlinedResponse:
        request = HttpRequest(self.method, ENDPOINT, "/", ())
        now = self.loop.time()
        return self.connection.begin(b"head", request, now, now + 60, self.limits.body_bytes_max)

    def feed(self, *pieces: bytes) -> None:
        """As the loop would: nothing after we closed."""
        for piece in pieces:
            if piece and not self.transport.aborted:
                self.connection.data_received(piece)

    def end(self, exc: Exception | None = None) -> None:
        if exc is None and not self.transport.aborted:
            self.connection.eof_received()
        self.connection.connection_lost(exc)
        self.loop.close()

    @property
    def body(self) -> bytes:
        return b"".join(self.response.chunks)


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.end()


BODIES = st.binary(max_size=60)
CHUNKED = st.lists(st.binary(min_size=1, max_size=12), max_size=5)


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(marks)]


@settings(max_examples=60, deadline=None)
@given(CHUNKED, st.booleans(), st.lists(st.integers(0, 500), max_size=12), st.booleans())
def test_it_does_not_matter_where_the_network_cuts(
    parts: list[bytes], chunked: bool, places: list[int], interim: bool
) -> None:
    body = b"".join(parts)
    message = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" if interim else b""
    message += HEAD + b"X-Name: value\r\n"
    if chunked:
        framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
        message += b"transfer-encoding: chunked\r\n\r\n" + framed + b"0\r\nx-trailer: 1\r\n\r\n"
    else:
        message += b"content-length: %d\r\n\r\n%b" % (len(body), body)
    wire = Wire()
    for _ in range(2):
        wire.feed(*_cut(message, places))
        assert wire.response.complete and wire.response.failure is None
        assert wire.response.headers[0] == ("x-name", "value") and len(wire.response.headers) == 2
        assert wire.body == body
        wire.response = wire.ask()
    assert wire.owner.told == ["released", "released"]
    wire.end()
    assert wire.owner.told == ["released", "released", "lost"]


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 200), st.lists(st.integers(0, 500), max_size=6), st.booleans())
def test_whatever_is_received_ends_in_one_way_and_is_reported_once(
    noise: bytes, place: int, places: list[int], reset: bool
) -> None:
    message = HEAD + b"content-type: a/b\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    place %= len(message) + 1
    spoilt = message[:place] + noise + message[place:]
    wire = Wire()
    wire.feed(*_cut(spoilt, places))
    wire.end(ConnectionResetError() if reset else None)
    assert wire.response.complete != (wire.response.failure is not None)
    assert wire.owner.told.count("lost") == 1 and wire.owner.told[-1] == "lost"
    assert wire.response.connection is None


@settings(max_examples=40, deadline=None)
@given(BODIES.filter(len), st.integers(0, 10_000))
def test_a_message_with_a_length_is_complete_only_when_all_of_it_came(body: bytes, place: int) -> None:
    message = HEAD + b"content-length: %d\r\n\r\n%b" % (len(body), body)
    wire = Wire()
    wire.feed(message[: place % len(message)])
    wire.end()
    assert not wire.response.complete
    stage = TransportStage.BODY if place % len(message) else TransportStage.SEND
    assert wire.response.failure is not None and wire.response.failure[0] is stage


def test_a_body_without_length_is_complete_at_an_orderly_end_only() -> None:
    orderly, broken = Wire(), Wire()
    for wire in (orderly, broken):
        wire.feed(HEAD + b"\r\nhello")
    orderly.end()
    broken.end(ConnectionResetError())
    assert orderly.response.complete and orderly.body == b"hello"
    assert not broken.response.complete
    assert broken.response.failure is not None and broken.response.failure[0] is TransportStage.BODY


@pytest.mark.parametrize(
    "answer", [b"content-length: 5\r\n\r\nhello", b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_a_body_after_a_head_response_spoils_the_connection(answer: bytes) -> None:
    wire = Wire("HEAD")
    wire.feed(HEAD + answer)
    assert wire.response.complete and wire.body == b""
    assert wire.owner.told == ["lost"]
    wire.end()


def test_a_second_response_in_the_same_read_is_dropped_with_the_connection(wire: Wire) -> None:
    one = HEAD + b"content-length: 2\r\n\r\n"
    wire.feed(one + b"ok" + one + b"no")
    assert wire.response.complete and wire.body == b"ok"
    assert wire.owner.told == ["lost"] and wire.transport.aborted


def test_the_peer_is_slowed_down_beyond_the_limit_and_let_go_when_read() -> None:
    wire = Wire(limits=TransportLimits(unread_bytes_max=10))
    wire.feed(HEAD + b"content-length: 40\r\n\r\n" + b"x" * 10)
    assert wire.transport.paused == 0
    wire.feed(b"x" * 10)
    wire.feed(b"x" * 10)
    assert wire.transport.paused == 1
    assert wire.loop.run_until_complete(wire.response.next_chunk()) == b"x" * 30
    assert wire.transport.paused == 0
    wire.feed(b"x" * 10)
    assert wire.response.complete and wire.owner.told == ["released"]
    wire.end()


def test_closing_the_response_closes_the_connection_and_later_bytes_mean_nothing(wire: Wire) -> None:
    wire.feed(HEAD + b"content-length: 40\r\n\r\nx")
    wire.response.close()
    assert wire.transport.aborted and wire.owner.told == ["lost"]
    wire.connection.data_received(b"late")
    assert wire.owner.told == ["lost"]


def test_only_one_timer_is_kept_however_many_exchanges_there_are(wire: Wire) -> None:
    timers = []
    arm = wire.loop.call_at
    wire.loop.call_at = lambda *args, **kwargs: timers.append(arm(*args, **kwargs)) or timers[-1]  # type: ignore
    for _ in range(50):
        wire.feed(HEAD + b"content-length: 0\r\n\r\n")
        wire.connection.rest(wire.loop.time())
        wire.response = wire.ask()
    assert len(timers) <= 1
