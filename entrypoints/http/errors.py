"""Which HTTP status each error has, and how errors look in each caller's family.

One table; a test walks every error class and fails on a leaf without a row.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from application.ports.wire import ANTHROPIC_COUNT_TOKENS, FAMILY, GEMINI_COUNT_TOKENS
from domain.errors import (
    AgentStopped,
    BudgetExceeded,
    ChecksumMismatch,
    Conflict,
    CostUnbounded,
    CredentialDamaged,
    DeadlineExceeded,
    EgressRefused,
    Forbidden,
    GuardrailBlocked,
    GuardrailUnavailable,
    IdempotencyKeyReused,
    IdentityNotAllowed,
    IntegrationExists,
    IntegrationUnavailable,
    InterchangeError,
    InvalidConfiguration,
    InvalidParameters,
    InvalidRequest,
    InvalidRequirements,
    InvalidToken,
    NoProviderAvailable,
    NotFound,
    ObjectNotFound,
    Overloaded,
    OwnedByFile,
    PiiBlocked,
    PreconditionFailed,
    PreviousResponseNotFound,
    PrivacyUnavailable,
    RangeNotSatisfiable,
    RateLimited,
    RequestInProgress,
    RequestTooLarge,
    ResidencyViolation,
    StorageQuotaExceeded,
    StoreUnavailable,
    StreamCut,
    TenantSuspended,
    ToolFailed,
    ToolRefused,
    ToolTimeout,
    TooManyFailures,
    Unauthenticated,
    UnknownModel,
    UpstreamError,
    VaultLocked,
)
from domain.llm.failures import FailureKind
from entrypoints.http.asgi import RawHeaders
from entrypoints.http.google_errors import google_payload
from entrypoints.http.limit_headers import refusal_headers
from entrypoints.http.overflow_words import is_overflow, overflow_words

STATUS: Mapping[type[InterchangeError], int] = {
    InterchangeError: 500,
    InvalidRequest: 400,
    PreviousResponseNotFound: 400,
    InvalidRequirements: 400,
    GuardrailBlocked: 400,
    Unauthenticated: 401,
    InvalidToken: 401,
    TooManyFailures: 429,
    BudgetExceeded: 402,
    CostUnbounded: 402,
    Forbidden: 403,
    IdentityNotAllowed: 403,
    ResidencyViolation: 403,
    PiiBlocked: 403,
    TenantSuspended: 403,
    AgentStopped: 403,
    UnknownModel: 404,
    NotFound: 404,
    Conflict: 409,
    OwnedByFile: 409,
    IntegrationExists: 409,
    InvalidConfiguration: 422,
    InvalidParameters: 422,
    ObjectNotFound: 404,
    PreconditionFailed: 412,
    RangeNotSatisfiable: 416,
    ChecksumMismatch: 422,
    ToolRefused: 422,
    ToolFailed: 502,
    ToolTimeout: 408,
    IntegrationUnavailable: 503,
    RequestInProgress: 409,
    RequestTooLarge: 413,
    StorageQuotaExceeded: 413,
    IdempotencyKeyReused: 422,
    RateLimited: 429,
    UpstreamError: 502,
    StreamCut: 502,
    EgressRefused: 502,
    Overloaded: 503,
    StoreUnavailable: 503,
    PrivacyUnavailable: 503,
    GuardrailUnavailable: 503,
    VaultLocked: 503,
    CredentialDamaged: 500,
    NoProviderAvailable: 503,
    DeadlineExceeded: 504,
}

UPSTREAM_STATUS: Mapping[FailureKind, int] = {
    FailureKind.RATE_LIMIT: 429,
    FailureKind.QUOTA: 429,
    FailureKind.AUTH: 502,
    FailureKind.CONTEXT_LENGTH: 400,
    FailureKind.CONTENT_POLICY: 400,
    FailureKind.OVERLOADED: 503,
    FailureKind.SERVER_ERROR: 502,
    FailureKind.NETWORK: 502,
    FailureKind.TIMEOUT: 504,
    FailureKind.BAD_RESPONSE: 502,
    FailureKind.MODEL_MISSING: 404,
    FailureKind.CALLER_FAULT: 400,
    FailureKind.EGRESS_REFUSED: 502,
}
"""Where the provider gave no status of its own, or one that would mislead our caller."""

_PAYMENT_REQUIRED = 402
"""What a budget has no room for now it will not have a second later."""
_SAID_BY_US = frozenset({"x-should-retry", "retry-after"})
"""Our retries are spent, and several callers may have been told to wait for longer."""
CALLERS_OWN = frozenset({FailureKind.CONTEXT_LENGTH, FailureKind.CONTENT_POLICY, FailureKind.CALLER_FAULT})

_OPENAI_TYPE = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "budget_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "invalid_request_error",
    414: "invalid_request_error",
    422: "invalid_request_error",
    426: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
    504: "timeout_error",
}
_ANTHROPIC_TYPE = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


_ESTIMATED: Final = frozenset({ANTHROPIC_COUNT_TOKENS, GEMINI_COUNT_TOKENS})


def status_of(error: InterchangeError, dialect: str) -> int:
    """The HTTP status for this caller. Our own route knows only 400, 503 and 504 for upstream ends."""
    if isinstance(error, UpstreamError):
        kind = error.failure.kind
        if dialect not in FAMILY:
            if kind in CALLERS_OWN:
                return 400
            return 504 if kind is FailureKind.TIMEOUT else 503
        status = error.failure.status
        if status is None or _about_our_credential(error):
            return UPSTREAM_STATUS[kind]
        if speaks_callers_family(error, dialect) or _passed_on(status, dialect):
            return status
        return UPSTREAM_STATUS[kind]
    for cls in type(error).__mro__:
        if cls in STATUS:
            return STATUS[cls]
    return 500


def refused_status(error: InterchangeError, dialect: str) -> int:
    """The same for a request that got no plan. Where nobody counts tokens, its caller gets an estimate."""
    if dialect in _ESTIMATED and isinstance(error, NoProviderAvailable):
        return 200
    return status_of(error, dialect)


def speaks_callers_family(error: UpstreamError, dialect: str) -> bool:
    """Whether the provider's own error goes through as it came: status, headers and body.

    Never one about our credential: the caller would look for the mistake in its own.
    """
    failure = error.failure
    return (
        bool(failure.body)
        and failure.content_type is not None
        and failure.family == FAMILY.get(dialect)
        and not _about_our_credential(error)
    )


def _about_our_credential(error: UpstreamError) -> bool:
    return error.failure.kind is FailureKind.AUTH and not error.failure.of_caller


_STANDARD: Final = frozenset(HTTPStatus)
"""Others, such as Cohere's 498, mean something at their provider only."""


def _passed_on(status: int, dialect: str) -> bool:
    """Whether a provider's status says the same from us; its 500 would be taken for a fault of ours."""
    return (
        (400 <= status < 500 and status in _STANDARD)
        or status in (503, 504)
        or (status == 529 and FAMILY[dialect] == "anthropic")
    )


def error_type(error: InterchangeError, dialect: str) -> str | None:
    """The word for this kind of error, the same before and within a stream; None: the dialect has words of
    its own for the codes."""
    if FAMILY.get(dialect) != "openai":
        return None
    return _OPENAI_TYPE.get(status_of(error, dialect), "server_error")


def error_payload(
    dialect: str,
    status: int,
    *,
    code: str,
    message: str,
    param: str | None,
    request_id: str,
    details: Mapping[str, object] | None = None,
) -> bytes:
    """The error body in the caller's family's shape; our own code and request id are always in it."""
    if FAMILY.get(dialect) == "gemini":
        return google_payload(
            status, code=code, message=message, param=param, request_id=request_id, details=details
        )
    if FAMILY.get(dialect) == "anthropic":
        return msgspec.json.encode(
            {
                "type": "error",
                "error": {
                    "type": _ANTHROPIC_TYPE.get(status, "api_error"),
                    "message": message,
                    "code": code,
                    "param": param,
                },
                "request_id": request_id,
            }
        )  # fmt: skip
    error: dict[str, object] = {
        "message": message,
        "type": _OPENAI_TYPE.get(status, "server_error"),
        "param": param,
        "code": code,
        "request_id": request_id,
    }
    if details:
        error["details"] = details
    return msgspec.json.encode({"error": error})


def render_error(error: InterchangeError, dialect: str, request_id: str) -> tuple[int, RawHeaders, bytes]:
    """Status, headers and body for an error that ended a request before its first byte.

    A provider's own error body goes through unmodified when caller and provider are of one family; one that
    speaks about our credential never does.
    """
    status = status_of(error, dialect)
    headers: RawHeaders = [(b"x-request-id", request_id.encode())]
    if isinstance(error, UpstreamError | DeadlineExceeded):
        headers.append((b"x-should-retry", b"false"))
        # The portkey SDK does not read that one; it leaves a 5xx alone only when a gateway's id is on it.
        headers.append((b"x-portkey-request-id", request_id.encode()))
    elif isinstance(error, ToolTimeout):
        # What was asked for may have been done: only what may be done twice is worth another try.
        repeatable = error.details.get("repeatable") is True
        headers.append((b"x-should-retry", b"true" if repeatable else b"false"))
    elif status == _PAYMENT_REQUIRED:
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, UpstreamError):
        failure = error.failure
        if failure.body and failure.content_type and speaks_callers_family(error, dialect):
            headers.append((b"content-type", failure.content_type.encode("latin-1")))
            headers += [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in failure.headers
                if name not in _SAID_BY_US
            ]
            headers += retry_after(error.retry_after_s)
            return status, headers, failure.body
    elif isinstance(error, RateLimited):
        headers += refusal_headers(error, dialect)
    headers.append((b"content-type", b"application/json"))
    headers += retry_after(error.retry_after_s)
    code, message = error.code, _safe_message(error)
    if is_overflow(error):
        code, message = overflow_words(error, dialect)
    body = error_payload(
        dialect,
        status,
        code=code,
        message=message,
        param=error.param,
        request_id=request_id,
        details=error.details,
    )
    return status, headers, body


def retry_after(seconds: float | None) -> RawHeaders:
    """Retry-After in whole seconds, rounded up."""
    if seconds is None:
        return []
    return [(b"retry-after", b"%d" % max(0, -(-seconds // 1)))]


def _safe_message(error: InterchangeError) -> str:
    if isinstance(error, UpstreamError) and _about_our_credential(error):
        return "the provider refused the credential Interchange has for it; ask the operator"
    return error.message
