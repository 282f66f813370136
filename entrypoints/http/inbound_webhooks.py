"""Asking whether a received webhook is genuine."""

import base64
import binascii
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.verify_inbound import Inbound, Verdict, Verified, VerifyInbound
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from domain.webhooks.inbound import TOLERANCE_S, Source
from entrypoints.http.audited import forget_body
from entrypoints.http.guard import Body, Door, decode, guarded_routes, read_bounded

BODY_BYTES_MAX: Final = 1024 * 1024


class InboundBody(Body):
    """`POST /api/v1/webhooks/verify`."""

    source: str
    credentials: list[str]
    headers: dict[str, str]
    body: str | None = None
    body_base64: str | None = None
    tolerance_s: float = TOLERANCE_S
    check_replay: bool = True


def inbound_webhook_routes(door: Door, verify: VerifyInbound) -> list[Route]:
    """One route."""

    async def check(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), InboundBody)
        forget_body(request)
        return verified_object(await verify(by, inbound_of(asked)))

    return guarded_routes(door, {("POST", "/api/v1/webhooks/verify"): check})


def inbound_of(asked: InboundBody) -> Inbound:
    """What is to be verified. Raises InvalidRequest, which names the field."""
    try:
        source = Source(asked.source)
    except ValueError:
        allowed = ", ".join(each.value for each in Source)
        raise InvalidRequest(f"no source {asked.source[:40]!r}; allowed: {allowed}", param="source") from None
    return Inbound(
        source,
        tuple(asked.credentials),
        asked.headers,
        _body(asked),
        asked.tolerance_s,
        asked.check_replay,
    )


def verified_object(verified: Verified) -> dict[str, Any]:
    """As JSON."""
    return {
        "verified": verified.verdict is Verdict.GENUINE,
        "verdict": verified.verdict.value,
        "message_id": verified.message_id or None,
        "sent_at_s": verified.sent_at_s,
    }


def _body(asked: InboundBody) -> bytes:
    if (asked.body is None) == (asked.body_base64 is None):
        raise InvalidRequest("give either body or body_base64", param="body")
    if asked.body is not None:
        body = asked.body.encode("utf-8", "surrogatepass")
    else:
        try:
            body = base64.b64decode(asked.body_base64 or "", validate=True)
        except (binascii.Error, ValueError):
            raise InvalidRequest("body_base64 is not base64", param="body_base64") from None
    if len(body) > BODY_BYTES_MAX:
        raise InvalidRequest(f"a body has at most {BODY_BYTES_MAX} bytes", param="body")
    return body
