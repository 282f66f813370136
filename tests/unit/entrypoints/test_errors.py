"""Every error has a status, keeps its code, and looks like its caller's family."""

import json

import pytest

from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain import errors
from domain.errors import InterchangeError, UpstreamError
from domain.llm.failures import Failure, FailureKind
from entrypoints.http.complete import INTERCHANGE_COMPLETE
from entrypoints.http.errors import STATUS, UPSTREAM_STATUS, render_error, status_of


def leaves(cls: type[InterchangeError]) -> list[type[InterchangeError]]:
    below = cls.__subclasses__()
    return [cls] if not below else [cls, *(leaf for sub in below for leaf in leaves(sub))]


def test_every_error_has_a_row_of_its_own() -> None:
    missing = [cls.__name__ for cls in leaves(InterchangeError) if cls not in STATUS]
    assert not missing


def test_every_failure_kind_has_a_status() -> None:
    assert set(UPSTREAM_STATUS) == set(FailureKind)


def test_codes_are_unique() -> None:
    # An upstream error takes its code from the failure, so the class itself has none.
    codes = [cls.code for cls in leaves(InterchangeError) if cls is not UpstreamError]
    assert len(codes) == len(set(codes))


def failed(kind: FailureKind, **more: object) -> UpstreamError:
    failure = Failure(kind=kind, message="the provider said no", **more)  # type: ignore[arg-type]
    return UpstreamError(failure, attempts=3)


@pytest.mark.parametrize("kind", list(FailureKind))
def test_our_own_route_knows_only_its_documented_statuses(kind: FailureKind) -> None:
    assert status_of(failed(kind, status=418), INTERCHANGE_COMPLETE) in (400, 503, 504)


def test_a_provider_error_goes_through_unmodified_within_its_family() -> None:
    body = b'{"error":{"message":"slow down","type":"rate_limit","param":null,"code":"x"}}'
    error = failed(
        FailureKind.RATE_LIMIT,
        status=429,
        body=body,
        content_type="application/json",
        retry_after_s=1.2,
        headers=(("x-ratelimit-limit-requests", "7"), ("retry-after", "1"), ("x-should-retry", "true")),
        family="openai",
    )
    status, headers, sent = render_error(error, OPENAI_CHAT, "req_1")
    assert (status, sent) == (429, body)
    assert dict(headers)[b"x-ratelimit-limit-requests"] == b"7"
    assert dict(headers)[b"retry-after"] == b"2"
    assert dict(headers)[b"x-should-retry"] == b"false"


def test_a_provider_error_is_retold_in_another_family() -> None:
    error = failed(
        FailureKind.OVERLOADED, status=503, body=b"{}", content_type="application/json", family="openai"
    )
    status, _, sent = render_error(error, ANTHROPIC_MESSAGES, "req_1")
    told = json.loads(sent)
    assert status == 503
    assert told["type"] == "error"
    assert told["error"]["code"] == "upstream_overloaded"
    assert told["request_id"] == "req_1"


def test_an_error_about_our_credential_is_never_shown() -> None:
    body = b'{"error":{"message":"Incorrect API key provided: sk-secret"}}'
    error = failed(FailureKind.AUTH, status=401, body=body, content_type="application/json")
    status, _, sent = render_error(error, OPENAI_CHAT, "req_1")
    assert status == 502
    assert b"sk-secret" not in sent


def test_nearest_names_are_told() -> None:
    error = errors.UnknownModel("no model 'gpt-4p'", nearest=["gpt-4o"])
    status, _, sent = render_error(error, OPENAI_CHAT, "req_1")
    told = json.loads(sent)["error"]
    assert status == 404
    assert told["param"] == "model"
    assert told["details"]["nearest"] == ["gpt-4o"]


@pytest.mark.parametrize(
    ("given", "dialect", "shown"),
    [
        (418, OPENAI_CHAT, 418),
        (500, OPENAI_CHAT, 502),
        (500, ANTHROPIC_MESSAGES, 502),
        (503, OPENAI_CHAT, 503),
        (520, OPENAI_CHAT, 502),
        (529, OPENAI_CHAT, 502),
        (529, ANTHROPIC_MESSAGES, 529),
        (200, OPENAI_CHAT, 502),
    ],
)
def test_a_providers_status_is_passed_on_only_where_it_says_the_same_from_us(
    given: int, dialect: str, shown: int
) -> None:
    assert status_of(failed(FailureKind.SERVER_ERROR, status=given), dialect) == shown


def test_the_portkey_sdk_is_told_in_its_own_way_not_to_repeat() -> None:
    _, headers, _ = render_error(failed(FailureKind.SERVER_ERROR, status=500), OPENAI_CHAT, "req_1")
    assert dict(headers)[b"x-portkey-request-id"] == b"req_1"
