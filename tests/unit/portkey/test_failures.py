"""Recorded error answers of the real gateway, and what they mean."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.portkey.failures import GATEWAY_SILENT, read_gateway_failure, transport_failure
from application.ports.http import TransportFailed, TransportStage
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain.llm.failures import Failure, FailureKind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORDED = json.loads(
    (Path(__file__).parents[3] / "contracts/wire/portkey/errors.json").read_text(encoding="utf-8")
)


def read(
    body: object, status: int = 500, *, slug: str = "openai", dialect: str = OPENAI_CHAT, **headers: str
) -> Failure:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return read_gateway_failure(slug, dialect, status, names, raw, NOW, secrets=["sk-the-key"])


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"{case['shape']}: {case['name']}")
def test_recorded_answers_mean_what_the_table_says(case: dict[str, Any]) -> None:
    headers = [(name, value) for name, value in case["headers"]]
    failure = read_gateway_failure(
        case["slug"], case["dialect"], case["status"], headers, case["body"].encode(), NOW
    )
    assert {
        "kind": failure.kind.value,
        "at_gateway": failure.at_gateway,
        "sent": failure.sent,
        "status": failure.status,
        "message": failure.message,
    } == case["means"]


def test_every_shape_of_the_gateway_is_recorded() -> None:
    assert {case["shape"] for case in RECORDED} == {1, 2, 3, 4, 5, 6}


def test_a_providers_error_comes_back_as_the_provider_said_it() -> None:
    said = {
        "error": {"message": "openai error: no", "type": "t", "param": None, "code": "c"},
        "provider": "openai",
    }
    failure = read(said, 400)
    assert failure.body is not None
    assert json.loads(failure.body) == {"error": {"message": "no", "type": "t", "param": None, "code": "c"}}


def test_a_caller_of_anthropics_shape_gets_an_error_of_that_shape() -> None:
    said = {
        "error": {"message": "anthropic error: too big", "type": "invalid_request_error", "param": None},
        "provider": "anthropic",
    }
    failure = read(said, 400, slug="anthropic", dialect=ANTHROPIC_MESSAGES)
    assert failure.body is not None
    assert json.loads(failure.body) == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "too big"},
    }


def test_only_the_providers_own_name_is_cut_off_a_message() -> None:
    said = {"error": {"message": "openai error: openai error: twice", "type": "t"}, "provider": "openai"}
    assert read(said, 400).message == "openai error: twice"


def test_a_timeout_of_the_gateway_may_be_billed() -> None:
    """Its 408 is the gateway's number: the provider was working when the gateway gave up."""
    said = {
        "error": {"message": "Request exceeded the timeout sent in the request: 5ms", "type": "timeout_error"}
    }
    failure = read(said, 408)
    assert failure.kind is FailureKind.TIMEOUT
    assert failure.may_be_billed


def test_a_timeout_the_provider_reports_itself_is_its_own() -> None:
    failure = read({"error": {"message": "openai error: slow", "type": "x"}, "provider": "openai"}, 408)
    assert failure.kind is FailureKind.TIMEOUT
    assert failure.status == 408


@pytest.mark.parametrize(
    ("cause", "kind", "sent"),
    [
        ("Error: connect ECONNREFUSED 127.0.0.1:9", FailureKind.NETWORK, False),
        ("ConnectTimeoutError: Connect Timeout Error", FailureKind.NETWORK, False),
        ("Error: unable to verify CERT_HAS_EXPIRED", FailureKind.NETWORK, False),
        ("SocketError: other side closed", FailureKind.NETWORK, True),
        ("HeadersTimeoutError: Headers Timeout Error", FailureKind.TIMEOUT, True),
    ],
)
def test_a_call_that_never_became_an_answer_tells_whether_it_was_sent(
    cause: str, kind: FailureKind, sent: bool
) -> None:
    failure = read({"html-message": f"Message: fetch failed Cause: {cause} Name: TypeError"})
    assert (failure.kind, failure.sent, failure.at_gateway) == (kind, sent, False)


def test_a_connect_timeout_of_the_gateway_was_never_sent() -> None:
    failure = read({"html-message": "fetch failed"}, 503)
    assert (failure.kind, failure.sent) == (FailureKind.NETWORK, False)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff\xfe", b"{", b'"text"', b"[" * 5000])
def test_bodies_that_make_no_sense_are_still_failures(body: bytes) -> None:
    failure = read(body, 502)
    assert failure.kind is FailureKind.SERVER_ERROR
    assert not failure.at_gateway


def test_no_message_and_no_body_shows_a_key() -> None:
    said = {"error": {"message": "openai error: bad key sk-the-key", "type": "x"}, "provider": "openai"}
    failure = read(said, 401)
    assert b"sk-the-key" not in (failure.body or b"")
    assert "sk-the-key" not in failure.message
    refused = read({"status": "failure", "message": "you said sk-the-key"}, 400)
    assert "sk-the-key" not in refused.message


@pytest.mark.parametrize(
    ("stage", "kind", "at_gateway", "sent"),
    [
        (TransportStage.REFUSED, FailureKind.NETWORK, True, False),
        (TransportStage.CONNECT, FailureKind.NETWORK, True, False),
        (TransportStage.SEND, FailureKind.NETWORK, True, True),
        (TransportStage.HEADERS_TIMEOUT, FailureKind.TIMEOUT, False, True),
        (TransportStage.BODY, FailureKind.NETWORK, True, True),
        (TransportStage.BODY_TIMEOUT, FailureKind.TIMEOUT, False, True),
    ],
)
def test_a_broken_exchange_says_whose_fault_it_can_be(
    stage: TransportStage, kind: FailureKind, at_gateway: bool, sent: bool
) -> None:
    failure = transport_failure(TransportFailed(stage, "it broke"))
    assert (failure.kind, failure.at_gateway, failure.sent) == (kind, at_gateway, sent)
    assert (failure.code == GATEWAY_SILENT) is (stage is TransportStage.HEADERS_TIMEOUT)
