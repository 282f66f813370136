"""Retries on virtual time: every strategy, its bounds, and what is never sent twice."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from application.ports.connector import ToolOutcome
from application.ports.http import (
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
)
from domain.errors import IntegrationUnavailable, InterchangeError, ToolFailed
from tests.simulation.virtual_time import START, VirtualClock, run_virtual
from tests.unit.rest.world import call, opened

Said = tuple[int, dict[str, str], bytes]
OK: Said = (200, {"content-type": "application/json"}, b"{}")


class Canned(HttpResponse):
    def __init__(self, said: Said) -> None:
        self.status = said[0]
        self.headers = list(said[1].items())
        self._body = said[2]

    async def read(self) -> bytes:
        return await self.next_chunk()

    async def next_chunk(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        self._body = b""


class Scripted(HttpTransport):
    """Answers from a list; the last one again and again. Notes when it was asked."""

    def __init__(self, answers: Sequence[Said | TransportFailed]) -> None:
        self._answers = list(answers)
        self.at_s: list[float] = []
        self.keys: list[str] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.at_s.append(asyncio.get_running_loop().time())
        self.keys += [value for name, value in request.headers if name == "idempotency-key"]
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, TransportFailed):
            raise answer
        return Canned(answer)

    async def aclose(self) -> None:
        return None


def refusing(status: int = 503, body: bytes = b"", **headers: str) -> Said:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


def played(
    answers: Sequence[Said | TransportFailed],
    *,
    tool: dict[str, Any] | None = None,
    timeout_s: float = 600.0,
    draw: float = 0.5,
    **retries: Any,
) -> tuple[list[float], ToolOutcome | InterchangeError, Scripted]:
    """(when it was asked, what came of it)."""
    transport = Scripted(answers)

    async def play() -> ToolOutcome | InterchangeError:
        connector = opened(
            {
                "endpoint": "https://api.example",
                "authentication": {"type": "none"},
                "tools": {"a": tool or {"path": "/a"}},
                "retries": {"max": 3, "total_s": 3600, **retries},
            },
            transport=transport,
            clock=VirtualClock(asyncio.get_running_loop()),
            draw=draw,
        )
        try:
            return await connector.execute(call(connector, "a", timeout_s=timeout_s))
        except InterchangeError as error:
            return error

    outcome = run_virtual(play())
    return [round(at, 3) for at in transport.at_s], outcome, transport


UNTIL = str(int(START.timestamp()) + 20)
STRATEGIES: list[tuple[dict[str, Any], Said, list[float]]] = [
    ({"strategy": "constant", "base_s": 2}, refusing(), [0, 2, 4]),
    ({"strategy": "exponential", "base_s": 4}, refusing(), [0, 2, 6]),
    ({"strategy": "header_wait"}, refusing(429, retry_after="10"), [0, 10.5, 21]),
    ({"strategy": "header_wait", "header": "x-wait"}, refusing(429, x_wait="4"), [0, 4.2, 8.4]),
    ({"strategy": "header_until", "header": "x-reset"}, refusing(429, x_reset=UNTIL), [0, 21, 21.025]),
    ({"strategy": "body_wait", "path": "retry.s"}, refusing(429, b'{"retry": {"s": 6}}'), [0, 6.3, 12.6]),
    ({"strategy": "constant", "base_s": 1}, refusing(429, retry_after="10"), [0, 10.5, 21]),
    ({"strategy": "body_wait", "path": "a", "base_s": 2}, refusing(429, b"no json"), [0, 1, 3]),
]


@pytest.mark.parametrize(("retries", "refusal", "at_s"), STRATEGIES)
def test_each_strategy_waits_as_it_says(retries: dict[str, Any], refusal: Said, at_s: list[float]) -> None:
    asked, outcome, _ = played([refusal, refusal, OK], **retries)

    assert asked == at_s
    assert isinstance(outcome, ToolOutcome) and outcome.retries == 2


def test_who_asks_for_an_hour_is_not_waited_for() -> None:
    asked, outcome, _ = played([refusing(429, retry_after="3600")])

    assert asked == [0]
    assert isinstance(outcome, IntegrationUnavailable)
    assert outcome.retry_after_s == 3600
    assert outcome.details == {"status": 429}


def test_who_asks_for_a_year_is_told_on_as_an_hour() -> None:
    _, outcome, _ = played([refusing(503, retry_after="31536000")])

    assert isinstance(outcome, IntegrationUnavailable) and outcome.retry_after_s == 3600


def test_nothing_is_tried_after_the_callers_deadline() -> None:
    asked, outcome, _ = played([refusing(429, retry_after="10")], timeout_s=15)

    assert asked == [0, 10.5]
    assert isinstance(outcome, IntegrationUnavailable)


def test_nothing_is_tried_after_the_total() -> None:
    asked, _, _ = played([refusing()], strategy="constant", base_s=10, total_s=15)

    assert asked == [0, 10]


def test_retries_are_counted() -> None:
    asked, outcome, _ = played([refusing()], strategy="constant", base_s=1)

    assert asked == [0, 1, 2, 3]
    assert isinstance(outcome, IntegrationUnavailable)


def test_retries_share_a_budget() -> None:
    transport = Scripted([refusing()])

    async def play() -> None:
        connector = opened(
            {
                "endpoint": "https://api.example",
                "tools": {"a": {"path": "/a"}},
                "retries": {"max": 5, "strategy": "constant", "base_s": 0.1, "budget_ratio": 0.0},
            },
            transport=transport,
            clock=VirtualClock(asyncio.get_running_loop()),
        )
        calls = (connector.execute(call(connector, "a")) for _ in range(20))
        await asyncio.gather(*calls, return_exceptions=True)

    run_virtual(play())

    assert len(transport.at_s) == 20 + 10


POST = {"method": "POST", "path": "/a"}
LOST = TransportFailed(TransportStage.SEND, "the connection broke")
UNREACHED = TransportFailed(TransportStage.CONNECT, "cannot connect")
LATE = TransportFailed(TransportStage.HEADERS_TIMEOUT, "no response in time")


@pytest.mark.parametrize("answer", [refusing(503), refusing(429, retry_after="1"), LOST, LATE])
def test_what_may_have_been_done_is_not_done_twice(answer: Said | TransportFailed) -> None:
    asked, outcome, _ = played([answer], tool=POST)

    assert asked == [0]
    assert isinstance(outcome, IntegrationUnavailable)


def test_what_never_arrived_is_sent_again() -> None:
    asked, outcome, _ = played([UNREACHED, OK], tool=POST, strategy="constant", base_s=1)

    assert asked == [0, 1]
    assert isinstance(outcome, ToolOutcome)


def test_a_key_of_idempotency_makes_a_post_repeatable() -> None:
    tool = {**POST, "idempotency_header": "idempotency-key"}

    asked, outcome, transport = played([LOST, refusing(503), OK], tool=tool, strategy="constant", base_s=1)

    assert asked == [0, 1, 2]
    assert isinstance(outcome, ToolOutcome)
    assert transport.keys == ["req_1", "req_1", "req_1"]


@pytest.mark.parametrize("flag", ["read_only", "idempotent"])
def test_a_post_that_is_said_to_be_harmless_is_repeated(flag: str) -> None:
    asked, _, _ = played([LOST, OK], tool={**POST, flag: True}, strategy="constant", base_s=1)

    assert asked == [0, 1]


def test_a_header_can_say_that_it_is_too_much() -> None:
    limited: dict[str, Any] = {"limited_by": {"header": "x-remaining", "value": "0"}}

    asked, _, _ = played([refusing(403, x_remaining="0", retry_after="2"), OK], **limited)
    other, outcome, _ = played([refusing(403, x_remaining="7"), OK], **limited)

    assert asked == [0, 2.1]
    assert other == [0] and isinstance(outcome, ToolFailed)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ToolFailed),
        (401, IntegrationUnavailable),
        (403, ToolFailed),
        (404, ToolFailed),
        (407, IntegrationUnavailable),
        (418, ToolFailed),
        (429, IntegrationUnavailable),
        (500, ToolFailed),
        (502, IntegrationUnavailable),
        (503, IntegrationUnavailable),
        (504, IntegrationUnavailable),
    ],
)
def test_each_status_is_one_error(status: int, error: type[InterchangeError]) -> None:
    _, outcome, _ = played([refusing(status)], max=0)

    assert type(outcome) is error
    assert isinstance(outcome, InterchangeError) and outcome.details == {"status": status}


def test_a_403_that_asks_for_a_credential_is_about_ours() -> None:
    _, outcome, _ = played([refusing(403, www_authenticate="Bearer")])

    assert isinstance(outcome, IntegrationUnavailable)
