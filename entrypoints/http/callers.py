"""Who calls, with what wishes: credentials and `x-interchange-*` headers, read in one pass."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

import msgspec

from application.job import Attribution
from application.ports.wire import FAMILY
from domain.errors import InvalidRequest, InvalidRequirements, Unauthenticated
from domain.llm.capabilities import UnknownCapability, parse_capability
from domain.money import NANO_PER_USD, TOKENS_PER_PRICE_UNIT
from domain.routing.demanded import demanded
from domain.routing.requirements import Requirements
from domain.tracing.active import TraceContext
from domain.tracing.context import parse_traceparent, parse_tracestate

CREDENTIAL_HEADERS = (
    b"x-interchange-key",
    b"x-portkey-api-key",
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"x-goog-api-key",
)
"""In order of trust: our own header leaves `authorization` to the caller where that is allowed, and so does
Portkey's, whose SDK always sends some `authorization` of the provider's beside it."""

OUR_PREFIX = "ik_"
_OURS = (OUR_PREFIX, "eyJ")
"""How keys and tokens begin."""

NEVER_FORWARDED = frozenset(
    {
        *CREDENTIAL_HEADERS,
        # Who pays, and who asks, is decided by the operator's credential.
        b"openai-organization", b"openai-project", b"anthropic-organization-id", b"x-goog-user-project",
        b"x-ms-authorization-auxiliary", b"ocp-apim-subscription-key",
        # What belongs to the connection and the body as we received them.
        b"host", b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
        b"upgrade", b"expect", b"content-length", b"content-type", b"content-encoding", b"accept-encoding",
        b"proxy-authorization", b"http2-settings", b"alt-used", b"max-forwards", b"range", b"if-range",
        b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since",
        # What some servers take for another request than the one in front of them.
        b"x-http-method-override", b"x-method-override", b"x-http-method", b"x-rewrite-url", b"x-host",
        # What tells about people and networks in front of us.
        b"cookie", b"forwarded", b"via", b"x-real-ip", b"true-client-ip", b"x-client-ip",
        b"x-cluster-client-ip", b"origin", b"referer", b"idempotency-key",
        b"traceparent", b"tracestate", b"baggage", b"x-cloud-trace-context",
    }
)  # fmt: skip
"""Everything else a caller sends reaches a provider of its own family: clients invent headers faster than
gateways learn them."""
_NEVER_FORWARDED_PREFIXES = (
    b"x-interchange-", b"x-portkey-", b"x-forwarded-", b"x-envoy-", b"x-amz-", b"x-amzn-", b"x-b3-", b"cf-",
    b"sec-", b"proxy-", b"x-goog-iam-", b"x-original-", b"x-auth-request-", b"x-ms-client-principal",
)  # fmt: skip
SESSION_HEADERS = (
    b"x-interchange-session-id",
    b"x-claude-code-session-id",
    b"session_id",
    b"session-id",
    b"conversation_id",
)
"""Where callers name their conversation: ours, then those of coding agents."""
_WISHES = (b"x-interchange-", b"x-request-id", b"x-client-request-id", *SESSION_HEADERS[1:])
_PLAIN_CONNECTIONS = frozenset({b"keep-alive", b"close", b""})
"""Anything else names headers that end with the connection (RFC 9110, 7.6.1)."""
_NAMES_REMEMBERED_MAX = 2048
_NAME_REMEMBERED_BYTES_MAX = 64
_names: dict[bytes, tuple[str | None, bool]] = {}
"""Header name -> (as it is forwarded, whether it may be a wish): the same few come with every request."""

_OTHER_CREDENTIALS: Final = frozenset(CREDENTIAL_HEADERS) - {b"authorization"}
_OWN_HEADERS: dict[str, tuple[bytes, ...]] = {
    "openai": (b"authorization",),
    "anthropic": (b"authorization", b"x-api-key"),
    "gemini": (b"x-goog-api-key", b"authorization"),
}
"""Where the clients of each family send a credential; a subscription's token is in `authorization`."""

ATTRIBUTION_CHARS_MAX = 256
METADATA_BYTES_MAX = 4096
USD_MAX = 10**9
WHOLE_NUMBER_MAX = 10**9


class Call(NamedTuple):
    """The headers of one request, names in lower case; of repeated headers the last counts.

    `vendor_headers` are those a provider of the caller's family gets.
    """

    headers: dict[bytes, bytes]
    vendor_headers: tuple[tuple[str, str], ...]
    has_wishes: bool


def read_headers(raw: Sequence[tuple[bytes, bytes]]) -> Call:
    """One pass over the ASGI headers."""
    headers: dict[bytes, bytes] = {}
    vendor: list[tuple[str, str]] = []
    wishes = False
    for name, value in raw:
        headers[name] = value
        forwarded, wish = _names.get(name) or _judged(name)
        if wish:
            wishes = True
        if forwarded is not None:
            vendor.append((forwarded, value.decode("latin-1")))
    if b"connection" in headers and headers[b"connection"].lower() not in _PLAIN_CONNECTIONS:
        named = {name.strip() for name in headers[b"connection"].lower().decode("latin-1").split(",")}
        vendor = [pair for pair in vendor if pair[0] not in named]
    return Call(headers, tuple(vendor), wishes)


def _judged(name: bytes) -> tuple[str | None, bool]:
    kept = name not in NEVER_FORWARDED and not name.startswith(_NEVER_FORWARDED_PREFIXES)
    judged = name.decode("latin-1") if kept else None, name.startswith(_WISHES)
    if len(_names) < _NAMES_REMEMBERED_MAX and len(name) <= _NAME_REMEMBERED_BYTES_MAX:
        _names[name] = judged
    return judged


def credential(headers: dict[bytes, bytes]) -> str:
    """The caller's key.

    Raises:
        Unauthenticated: no credential header; the message names the accepted ones.
        InvalidRequest: two different keys of ours, or a token before a key, so that nobody in front of us can
            have checked another.
    """
    alone = headers.get(b"authorization", b"")
    if alone[:7] == b"Bearer " and _OTHER_CREDENTIALS.isdisjoint(headers):  # nearly every request
        found = alone[7:].decode("latin-1").strip()
        if found:
            return found
    found = ""
    for name in CREDENTIAL_HEADERS:
        value = headers.get(name)
        if value:
            text = value.decode("latin-1").strip()
            if name == b"authorization":
                scheme, _, token = text.partition(" ")
                if scheme.lower() != "bearer" or not token:
                    continue
                text = token.strip()
            if not found:
                found = text
            elif text != found and text.startswith(OUR_PREFIX) and found.startswith(_OURS):
                raise InvalidRequest(
                    "two different API keys in one request; send one", param=name.decode("ascii")
                )
    if found:
        return found
    raise Unauthenticated(
        "no API key: send it as 'Authorization: Bearer <key>' or in x-api-key, api-key, x-goog-api-key, "
        "x-portkey-api-key or x-interchange-key"
    )


def own_credential(headers: dict[bytes, bytes], dialect: str) -> tuple[str, str] | None:
    """(header, value) of the caller's own provider credential beside our key in `x-interchange-key`.

    Looked for where callers of this dialect's family have it. Never a key of ours sent twice.
    """
    ours = headers.get(b"x-interchange-key", b"").strip()
    if not ours:
        return None
    for name in _OWN_HEADERS.get(FAMILY.get(dialect, ""), ()):
        value = headers.get(name, b"").strip()
        scheme, _, token = value.rpartition(b" ")
        if not token or token == ours or token.startswith(b"ik_"):
            continue
        if name == b"authorization" and scheme.strip().lower() != b"bearer":
            continue
        return name.decode("ascii"), value.decode("latin-1")
    return None


def read_requirements(headers: dict[bytes, bytes]) -> Requirements:
    """The caller's demands from its headers.

    Raises:
        InvalidRequirements: a value that cannot be read; names the header and what is allowed.
    """
    wanted = Requirements()
    if (text := _text(headers, b"x-interchange-capabilities")) is not None:
        for name in text.split(","):
            try:
                wanted.capabilities |= parse_capability(name.strip())
            except UnknownCapability as error:
                raise InvalidRequirements(str(error), param="x-interchange-capabilities") from None
    if (text := _text(headers, b"x-interchange-max-cost-per-token")) is not None:
        wanted.max_cost_nano_usd_per_mtok = usd_to_nano(
            text, "x-interchange-max-cost-per-token", scale=TOKENS_PER_PRICE_UNIT
        )
    if (text := _text(headers, b"x-interchange-max-cost-usd")) is not None:
        wanted.max_cost_nano_usd = usd_to_nano(text, "x-interchange-max-cost-usd")
    if (text := _text(headers, b"x-interchange-max-latency-ms")) is not None:
        wanted.max_latency_ms = positive_int(text, "x-interchange-max-latency-ms")
    wanted.residency = _text(headers, b"x-interchange-residency")
    wanted.strategy = _text(headers, b"x-interchange-strategy")
    if (text := _text(headers, b"x-interchange-affinity")) is not None:
        if text.lower() not in ("on", "off"):
            raise InvalidRequirements(
                f"x-interchange-affinity must be on or off, got {_shown(text)}",
                param="x-interchange-affinity",
            )
        wanted.affinity = text.lower() == "on"
    if (text := _text(headers, b"x-interchange-quality-floor")) is not None:
        wanted.quality_floor = share(text, "x-interchange-quality-floor")
    wanted.said = demanded(wanted)
    return wanted


def read_attribution(headers: dict[bytes, bytes]) -> Attribution:
    """Who and what the call is for, bounded.

    Raises:
        InvalidRequest: metadata that is not a JSON object or too large.
    """
    metadata = headers.get(b"x-interchange-metadata", b"")
    if metadata:
        if len(metadata) > METADATA_BYTES_MAX:
            raise InvalidRequest(
                f"x-interchange-metadata is over {METADATA_BYTES_MAX} bytes", param="x-interchange-metadata"
            )
        try:
            msgspec.json.decode(metadata, type=dict[str, object])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(
                f"x-interchange-metadata must be a JSON object: {error}", param="x-interchange-metadata"
            ) from None
    return Attribution(
        agent_id=_bounded(headers, b"x-interchange-agent-id"),
        user_id=_bounded(headers, b"x-interchange-user-id"),
        session_id=read_session(headers),
        workflow_id=_bounded(headers, b"x-interchange-workflow-id"),
        client_request_id=_bounded(headers, b"x-client-request-id") or _bounded(headers, b"x-request-id"),
        metadata=metadata.decode("utf-8", "replace"),
    )


def read_trace(headers: dict[bytes, bytes]) -> TraceContext | None:
    """The trace the caller says this belongs to; None: it names none, or writes it wrongly."""
    found = headers.get(b"traceparent")
    if found is None:
        return None
    return trace_of(found.decode("latin-1"), headers.get(b"tracestate", b"").decode("latin-1"))


def trace_of(said: str, state: str) -> TraceContext | None:
    """The same from the two texts, wherever they stood."""
    parent = parse_traceparent(said)
    return None if parent is None else TraceContext(parent, parse_tracestate(state) if state else "")


def read_session(headers: dict[bytes, bytes]) -> str:
    """The conversation's id as the caller names it, bounded; empty: it names none."""
    return next((found for name in SESSION_HEADERS if (found := _bounded(headers, name))), "")


def usd_to_nano(value: object, param: str, *, scale: int = 1) -> int:
    """A positive amount of dollars times `scale` in nano-dollars, rounded down so that a ceiling holds.

    Raises:
        InvalidRequirements: not a number above zero and up to USD_MAX.
    """
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or not 0 < amount <= USD_MAX or isinstance(value, bool):
        raise InvalidRequirements(
            f"{param} must be a number above 0, at most {USD_MAX}, got {_shown(value)}", param=param
        )
    return int(amount * NANO_PER_USD * scale)


def positive_int(value: object, param: str) -> int:
    """Raises InvalidRequirements unless the value is a whole number above zero and up to WHOLE_NUMBER_MAX."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= WHOLE_NUMBER_MAX:
        raise InvalidRequirements(
            f"{param} must be a whole number above 0, at most {WHOLE_NUMBER_MAX}, got {_shown(value)}",
            param=param,
        )
    return value


def share(value: object, param: str) -> float:
    """Raises InvalidRequirements unless the value lies in [0, 1]."""
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise InvalidRequirements(f"{param} must be a number from 0 to 1, got {_shown(value)}", param=param)
    return number


def _shown(value: object) -> str:
    """A value as an error may repeat it."""
    if isinstance(value, int) and abs(value) > WHOLE_NUMBER_MAX:
        return "a larger number"
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return value.decode("utf-8", "replace").strip() if value else None


def _bounded(headers: dict[bytes, bytes], name: bytes) -> str:
    return (_text(headers, name) or "")[:ATTRIBUTION_CHARS_MAX]
