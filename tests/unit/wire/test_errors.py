"""Providers' error answers, in every shape seen, as failures."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.errors import (
    ERROR_BODY_BYTES_MAX,
    MESSAGE_CHARS_MAX,
    parse_error,
    read_failure,
    useful_headers,
)
from application.ports.wire import GEMINI_GENERATE, OPENAI_CHAT
from domain.llm.failures import Failure, FailureKind

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(status: int, body: Any, *headers: tuple[str, str], secrets: tuple[str, ...] = ()) -> Failure:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_failure(OPENAI_CHAT, status, headers, raw, NOW, secrets=secrets)


def google(
    *details: dict[str, Any], status: str = "RESOURCE_EXHAUSTED", message: str = "no"
) -> dict[str, Any]:
    return {"error": {"code": 429, "message": message, "status": status, "details": list(details)}}


RETRY_IN = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
PER_DAY = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (
            400,
            {"error": {"message": "too long", "code": "context_length_exceeded"}},
            FailureKind.CONTEXT_LENGTH,
            "too long",
        ),
        (
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            FailureKind.OVERLOADED,
            "Overloaded",
        ),
        (
            429,
            google(RETRY_IN, message="You exceeded your current quota"),
            FailureKind.RATE_LIMIT,
            "You exceeded your current quota",
        ),
        (429, google(PER_DAY, RETRY_IN), FailureKind.QUOTA, "no"),
        (400, [google({"reason": "API_KEY_INVALID"}, status="INVALID_ARGUMENT")], FailureKind.AUTH, "no"),
        (
            400,
            {"error": {"message": "filtered", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            FailureKind.CONTENT_POLICY,
            "filtered",
        ),
        (
            404,
            {"error": "model_not_found", "message": "no such model"},
            FailureKind.MODEL_MISSING,
            "no such model",
        ),
        (
            422,
            {"detail": [{"loc": ["body"], "msg": "bad"}]},
            FailureKind.CALLER_FAULT,
            '[{"loc":["body"],"msg":"bad"}]',
        ),
        (401, {"message": "nope"}, FailureKind.AUTH, "nope"),
        (
            502,
            b"<html><head><title>502 Bad\n Gateway</title></head><body>x</body></html>",
            FailureKind.SERVER_ERROR,
            "502 Bad Gateway",
        ),
        (503, b"<p>try <b>later</b></p>", FailureKind.OVERLOADED, "try later"),
        (500, b"upstream connect error", FailureKind.SERVER_ERROR, "upstream connect error"),
        (500, b'{"error": {"message"', FailureKind.SERVER_ERROR, '{"error": {"message"'),
        (
            500,
            b"",
            FailureKind.SERVER_ERROR,
            "openai.chat answered 500 without an explanation",
        ),
        (500, b"\xff\xfe", FailureKind.SERVER_ERROR, "\ufffd\ufffd"),
    ],
)
def test_every_shape_gives_a_kind_and_a_message(
    status: int, body: Any, kind: FailureKind, message: str
) -> None:
    failure = read(status, body)
    assert (failure.kind, failure.message, failure.status) == (kind, message, status)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ([("retry-after", "7")], {}, 7.0),
        ([("retry-after", "Fri, 02 Jan 2026 03:04:35 GMT")], {}, 30.0),
        ([("retry-after-ms", "1500"), ("retry-after", "9")], {}, 1.5),
        ([], google(RETRY_IN), 34.5),
        ([("retry-after", "soon")], {}, None),
        ([("retry-after-ms", "x")], google({"retryDelay": "x"}), None),
    ],
)
def test_the_wait_a_provider_asks_for_is_read(
    headers: list[tuple[str, str]], body: Any, seconds: float | None
) -> None:
    assert read(429, body, *headers).retry_after_s == seconds


def test_no_key_survives_in_message_or_body() -> None:
    said = "Incorrect API key provided: sk-proj-abcdefgh1234. Also Bearer abcdefghijkl1 and plain-secret-1."
    failure = read(401, {"error": {"message": said}}, secrets=("plain-secret-1",))
    for secret in ("sk-proj", "abcdefghijkl", "plain-secret-1"):
        assert secret not in failure.message
        assert secret.encode() not in (failure.body or b"")
    assert "Incorrect API key provided" in failure.message


def test_ordinary_words_are_not_taken_for_keys() -> None:
    said = "Bearer authentication required; unknown field sk_parameters or key_value_pairs1"
    assert read(401, {"error": {"message": said}}).message == said


def test_the_body_is_kept_for_callers_of_the_same_family() -> None:
    failure = read(400, b'{"error":{"message":"x","param":"n"}}', ("content-type", "application/json"))
    assert failure.body == b'{"error":{"message":"x","param":"n"}}'
    assert failure.content_type == "application/json"


def test_sizes_are_bounded() -> None:
    failure = read(400, {"error": {"message": "m" * 5000}})
    assert len(failure.message) == MESSAGE_CHARS_MAX
    assert read(500, b"x" * (ERROR_BODY_BYTES_MAX + 1)).body is None


def test_useful_headers_pass_and_the_operators_account_does_not() -> None:
    headers = [
        ("x-ratelimit-remaining-tokens", "5"),
        ("anthropic-ratelimit-requests-limit", "9"),
        ("openai-processing-ms", "12"),
        ("openai-organization", "secret-org"),
        ("x-request-id", "req_9"),
        ("set-cookie", "a=b"),
        ("content-length", "3"),
    ]
    assert useful_headers(headers) == (
        ("x-ratelimit-remaining-tokens", "5"),
        ("anthropic-ratelimit-requests-limit", "9"),
        ("openai-processing-ms", "12"),
        ("upstream-request-id", "req_9"),
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "details", "code", "status", "innererror"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(
    body=st.binary(max_size=50) | _JSON.map(lambda value: json.dumps(value).encode()),
    status=st.integers(300, 599),
)
def test_no_body_makes_the_reader_raise(body: bytes, status: int) -> None:
    parse_error(body)
    assert read_failure(GEMINI_GENERATE, status, [], body, NOW).message
