"""Who failed, and how: Portkey's error answers in the domain's words.

Six shapes come out of one gateway (recorded in `contracts/wire/portkey`). Three are its own: a refused or
broken call to the gateway, an unknown path, a guardrail. Three are about the provider: its own error with
the provider's name put in front, the time that ran out, and a call that never became an answer.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from adapters.wire.errors import MESSAGE_CHARS_MAX, read_failure, redacted
from application.ports.http import Headers, TransportFailed, TransportStage, header
from application.ports.wire import FAMILY
from domain.llm.failures import Failure, FailureKind

GUARDRAIL_DENIED: Final = 446
GATEWAY_ERROR: Final = "gateway_error"
GATEWAY_SILENT: Final = "gateway_silent"
_FETCH_FAILED: Final = re.compile(
    r"Message: (?P<message>.{0,300}?) Cause: (?P<cause>.{0,600}?) Name: \w+|^fetch failed$"
)
_NOT_CONNECTED: Final = re.compile(
    r"ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ConnectTimeoutError|CERT_|self-signed"
)
_TOO_SLOW: Final = re.compile(r"HeadersTimeoutError|BodyTimeoutError|UND_ERR_(HEADERS|BODY)_TIMEOUT")
PROVIDER_FAULT_HEADER: Final = "x-interchange-provider-fault"
"""Set by our preload in the gateway we run ourselves; other gateways leave the question open."""
_PROVIDER_FAULTS: Final = {
    "cut": Failure(kind=FailureKind.NETWORK, message="the provider's answer was cut off"),
    "unreadable": Failure(kind=FailureKind.BAD_RESPONSE, message="the provider's answer is not JSON"),
}
_UNREADABLE: Final = re.compile(r"Invalid response received from [\w-]+: (\{.*)", re.DOTALL)
_NOT_OFFERED: Final = re.compile(r"is not supported by ")


def read_gateway_failure(
    slug: str,
    upstream_dialect: str,
    status: int,
    headers: Headers,
    body: bytes,
    utc_now: datetime,
    *,
    secrets: Sequence[str] = (),
) -> Failure:
    """The failure of a non-2xx answer that came through the gateway from provider `slug`.

    `at_gateway` is true only for what the provider had no part in. A failure that the gateway made up
    has no `status`, because the provider never gave one and may have worked for the call all the same.
    """
    said = _object(body)
    error = said.get("error")
    if fault := _PROVIDER_FAULTS.get(header(headers, PROVIDER_FAULT_HEADER) or ""):
        return fault
    if header(headers, "x-portkey-gateway-exception") == "true" or said.get("status") == "failure":
        return _gateway_fault(status, said, secrets)
    if said.get("ok") is False and "error" not in said:
        return _gateway_fault(status, said, secrets)
    if isinstance(error, dict):
        if status == GUARDRAIL_DENIED or error.get("type") == "hooks_failed":
            return Failure(
                kind=FailureKind.CONTENT_POLICY,
                message="a guardrail of the Portkey gateway refused the request or the answer",
                code="hooks_failed",
            )
        if error.get("type") == "timeout_error" and "timeout sent in the request" in str(
            error.get("message")
        ):
            return Failure(
                kind=FailureKind.TIMEOUT, message="the provider did not answer in time", code="timeout_error"
            )
    if fetch := _fetch_failure(said, body):
        return fetch
    page = _page(said)
    if page is not None:
        without_type = [pair for pair in headers if pair[0] != "content-type"]
        return read_failure(
            upstream_dialect,
            status,
            [("content-type", "text/plain"), *without_type],
            page,
            utc_now,
            secrets=secrets,
        )
    own = provider_error_body(slug, upstream_dialect, said, body)
    return read_failure(upstream_dialect, status, headers, own, utc_now, secrets=secrets)


def provider_error_body(slug: str, dialect: str, said: dict[str, Any], body: bytes) -> bytes:
    """The provider's own error: without the `<slug> error: ` and the `provider` that Portkey adds to it,
    and in Anthropic's shape where the caller spoke it, because Portkey always answers in OpenAI's."""
    error = said.get("error")
    if "provider" not in said or not isinstance(error, dict):
        return body
    message = error.get("message")
    if isinstance(message, str):
        error = {**error, "message": message.removeprefix(f"{slug} error: ")}
    if FAMILY.get(dialect) == "anthropic":
        own = {"type": error.get("type") or "api_error", "message": error.get("message")}
        return msgspec.json.encode({"type": "error", "error": own})
    rest = {name: value for name, value in said.items() if name != "provider"}
    return msgspec.json.encode({**rest, "error": error})


def transport_failure(failed: TransportFailed) -> Failure:
    """An exchange with the gateway that broke.

    A cut is the gateway's: when the provider's connection breaks, Portkey ends its answer cleanly. Silence
    beyond the bound it was given itself may be anyone's; a probe tells whether the gateway is well.
    """
    unsent = failed.stage in (TransportStage.REFUSED, TransportStage.CONNECT)
    slow = failed.stage in (TransportStage.HEADERS_TIMEOUT, TransportStage.BODY_TIMEOUT)
    return Failure(
        kind=FailureKind.TIMEOUT if slow else FailureKind.NETWORK,
        message=f"the Portkey gateway: {failed.message}"[:MESSAGE_CHARS_MAX],
        code=GATEWAY_SILENT if failed.stage is TransportStage.HEADERS_TIMEOUT else None,
        at_gateway=not slow,
        sent=not unsent,
    )


def _gateway_fault(status: int, said: dict[str, Any], secrets: Sequence[str]) -> Failure:
    message = said.get("message")
    text = redacted(message if isinstance(message, str) else "no explanation", secrets)
    missing = bool(_NOT_OFFERED.search(text))
    return Failure(
        kind=FailureKind.MODEL_MISSING if missing else FailureKind.SERVER_ERROR,
        message=f"the Portkey gateway answered {status}: {text}"[:MESSAGE_CHARS_MAX],
        code=GATEWAY_ERROR,
        at_gateway=not missing,
        # What the gateway refuses it does not pass on; what broke in its hands may have been sent.
        sent=not (status < 500 or missing),
    )


def _fetch_failure(said: dict[str, Any], body: bytes) -> Failure | None:
    """A call to the provider that ended without an answer; the gateway tells it as text of some field."""
    texts = [said.get("html-message"), body.decode("utf-8", "replace") if not said else None]
    error = said.get("error")
    if isinstance(error, dict):
        texts.append(error.get("message"))
    for text in texts:
        found = _FETCH_FAILED.search(text) if isinstance(text, str) else None
        if found is None:
            continue
        cause = found["cause"] or found["message"] or "connect timeout"
        slow = bool(_TOO_SLOW.search(cause))
        return Failure(
            kind=FailureKind.TIMEOUT if slow else FailureKind.NETWORK,
            message=f"the gateway could not reach the provider: {redacted(cause)}"[:MESSAGE_CHARS_MAX],
            code="fetch_failed",
            sent=not (found["cause"] is None or _NOT_CONNECTED.search(cause)),
        )
    return None


def _page(said: dict[str, Any]) -> bytes | None:
    """What the provider said where it did not speak JSON (an HTML page of a proxy in front of it)."""
    error = said.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    if isinstance(message, str) and (wrapped := _UNREADABLE.match(message)):
        said = _object(wrapped[1].encode())
    page = said.get("html-message")
    return page.encode() if isinstance(page, str) else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
