"""One attempt over HTTP: what is sent, what each failure is called, and how much of an answer is read."""

import asyncio

import pytest

from adapters.system.clock import SystemClock
from adapters.webhooks.sender import ANSWER_BYTES_MAX, HttpWebhookSender
from application.outside import Outside
from application.ports.http import (
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
)
from application.ports.webhook_sender import Message
from domain.webhooks.delivery import EXCERPT_LENGTH_MAX, Outcome

MESSAGE = Message("acme", "https://example.com:8443/in?a=b", (("webhook-id", "evt_1"),), b"{}")


class Answer(HttpResponse):
    def __init__(self, status: int, *chunks: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.status, self.headers, self.chunks = status, list(headers), list(chunks)
        self.closed = False
        self.read_bytes = 0

    async def read(self) -> bytes:
        raise AssertionError("an answer of any size must not be read whole")

    async def next_chunk(self) -> bytes:
        piece = self.chunks.pop(0) if self.chunks else b""
        self.read_bytes += len(piece)
        return piece

    def close(self) -> None:
        self.closed = True


class ToldTransport(HttpTransport):
    """Answers, fails, or hangs where there is nothing to do."""

    def __init__(self, does: Answer | TransportFailed | None) -> None:
        self.does = does
        self.asked: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request)
        if isinstance(self.does, TransportFailed):
            raise self.does
        if self.does is None:
            await asyncio.Event().wait()
        assert self.does is not None
        return self.does

    async def aclose(self) -> None:
        """Nothing to close."""


def sender(
    transport: HttpTransport, egress: tuple[str, ...] = (), timeout_s: float = 5.0
) -> HttpWebhookSender:
    return HttpWebhookSender(Outside(transport, lambda _tenant: egress), SystemClock(), timeout_s=timeout_s)


async def test_it_posts_to_the_address_with_its_query_and_port() -> None:
    transport = ToldTransport(Answer(204))

    attempt = await sender(transport).send(MESSAGE)

    (request,) = transport.asked
    assert (request.method, request.path, request.body) == ("POST", "/in?a=b", b"{}")
    assert request.endpoint[:3] == ("https", "example.com", 8443)
    assert request.total_timeout_s <= 5.0
    assert (attempt.outcome, attempt.status) == (Outcome.DELIVERED, 204)


@pytest.mark.parametrize(
    ("stage", "message", "outcome"),
    [
        (TransportStage.CONNECT, "cannot connect to a:1: the name cannot be resolved", Outcome.DNS),
        (TransportStage.CONNECT, "cannot connect to a:1: certificate not accepted: expired", Outcome.TLS),
        (TransportStage.CONNECT, "cannot connect to a:1: TLS failed: WRONG_VERSION", Outcome.TLS),
        (TransportStage.CONNECT, "cannot connect to a:1: timed out", Outcome.TIMEOUT),
        (TransportStage.CONNECT, "cannot connect to a:1: Connection refused", Outcome.CONNECT),
        (TransportStage.REFUSED, "not allowed", Outcome.EGRESS),
        (TransportStage.SEND, "the connection broke", Outcome.BROKEN),
        (TransportStage.HEADERS_TIMEOUT, "no response headers in time", Outcome.TIMEOUT),
    ],
)
async def test_each_failure_has_its_name(stage: TransportStage, message: str, outcome: Outcome) -> None:
    attempt = await sender(ToldTransport(TransportFailed(stage, message))).send(MESSAGE)

    assert (attempt.outcome, attempt.status, attempt.detail) == (outcome, None, message)


async def test_who_hangs_is_left_when_the_time_is_over() -> None:
    attempt = await sender(ToldTransport(None), timeout_s=0.05).send(MESSAGE)

    assert attempt.outcome is Outcome.TIMEOUT


async def test_of_an_answer_only_the_begin_is_read_and_kept() -> None:
    answer = Answer(500, *[b"x" * 16_384] * 100)

    attempt = await sender(ToldTransport(answer)).send(MESSAGE)

    assert answer.read_bytes <= ANSWER_BYTES_MAX + 16_384 and answer.closed
    assert len(attempt.detail) == EXCERPT_LENGTH_MAX


async def test_what_an_answer_says_cannot_steer_a_terminal_or_break_a_database() -> None:
    attempt = await sender(ToldTransport(Answer(500, b"a\x1b[2J\x00\xff\r\nb"))).send(MESSAGE)

    assert not {"\x1b", "\x00", "\r"} & set(attempt.detail)
    assert attempt.detail.startswith("a") and attempt.detail.endswith("b")


async def test_retry_after_is_told() -> None:
    answer = Answer(503, headers=(("retry-after", "7"),))

    assert (await sender(ToldTransport(answer)).send(MESSAGE)).retry_after_s == 7


async def test_a_redirect_is_a_failure_and_followed_nowhere() -> None:
    transport = ToldTransport(Answer(307, headers=(("location", "http://169.254.169.254/"),)))

    assert (await sender(transport).send(MESSAGE)).outcome is Outcome.REDIRECT
    assert len(transport.asked) == 1


@pytest.mark.parametrize("url", ["http://example.com/", "ftp://example.com/", "https:///in", "https://[::1"])
async def test_what_is_not_https_gets_nothing(url: str) -> None:
    transport = ToldTransport(Answer(204))

    attempt = await sender(transport).send(MESSAGE._replace(url=url))

    assert attempt.outcome is Outcome.EGRESS and transport.asked == []


async def test_a_tenants_own_list_is_asked() -> None:
    transport = ToldTransport(Answer(204))

    attempt = await sender(transport, egress=("hooks.example.org",)).send(MESSAGE)

    assert attempt.outcome is Outcome.EGRESS and transport.asked == []


async def test_who_is_cancelled_closes_the_answer() -> None:
    class Endless(Answer):
        async def next_chunk(self) -> bytes:
            await asyncio.Event().wait()
            return b""

    answer = Endless(200)
    task = asyncio.create_task(sender(ToldTransport(answer)).send(MESSAGE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert answer.closed
