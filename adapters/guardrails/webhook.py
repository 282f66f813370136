"""Asks a service of the operator's about texts, over HTTP.

Signed as Standard Webhooks signs: `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over
`id.timestamp.body`. What is sent are the texts, where they stand, and whose they are; no header of the caller
and no credential of a provider.
"""

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from application.ports.guardrail import (
    GuardrailFailed,
    OutsideCheck,
    OutsideGuardrails,
    OutsideVerdict,
    Said,
)
from application.ports.http import Endpoint, HttpRequest, HttpTransport, TransportFailed, TransportStage
from application.ports.system import Clock, IdFactory
from domain.guardrails.terms import WebhookRule
from domain.vault.secret import SecretText

ANSWER_BYTES_MAX: Final = 2 * 1024 * 1024
CONNECT_TIMEOUT_S: Final = 3.0
_REASON: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_TIMEOUTS: Final = frozenset({TransportStage.HEADERS_TIMEOUT, TransportStage.BODY_TIMEOUT})
_encode: Final = msgspec.json.encode


class _Verdict(msgspec.Struct, frozen=True):
    action: Literal["allow", "warn", "block", "redact"]
    reason: str | None = None
    replacements: Annotated[tuple[str | None, ...], msgspec.Meta(max_length=100_000)] = ()


_decode: Final = msgspec.json.Decoder(_Verdict).decode


class WebhookGuardrails(OutsideGuardrails):
    """`use` names the secrets, by guardrail; without one a call is not signed."""

    def __init__(self, transport: HttpTransport, clock: Clock, ids: IdFactory) -> None:
        self._transport = transport
        self._clock = clock
        self._ids = ids
        self._secrets: Mapping[str, SecretText] = {}
        self._running: dict[str, int] = {}

    def use(self, secrets: Mapping[str, SecretText]) -> None:
        """Puts these in the place of all that were known."""
        self._secrets = dict(secrets)

    async def judge(self, check: OutsideCheck) -> OutsideVerdict:
        rule = check.guardrail.rule
        if not isinstance(rule, WebhookRule):
            raise GuardrailFailed("no_webhook")
        name = check.guardrail.name
        if self._running.get(name, 0) >= rule.concurrent_max:
            raise GuardrailFailed("too_many_at_once")
        body = _body(check)
        if len(body) > rule.body_bytes_max:
            raise GuardrailFailed("too_large")
        self._running[name] = self._running.get(name, 0) + 1
        try:
            async with asyncio.timeout(rule.timeout_s):
                return _verdict(await self._sent(rule, name, body))
        except TimeoutError:
            raise GuardrailFailed("timeout") from None
        except TransportFailed as failed:
            raise GuardrailFailed(_word(failed)) from None
        finally:
            self._running[name] -= 1

    async def _sent(self, rule: WebhookRule, name: str, body: bytes) -> bytes:
        endpoint, path = address(rule.url)
        response = await self._transport.send(
            HttpRequest(
                method="POST",
                endpoint=endpoint,
                path=path,
                headers=self._headers(name, body),
                body=body,
                connect_timeout_s=min(CONNECT_TIMEOUT_S, rule.timeout_s),
                headers_timeout_s=rule.timeout_s,
                body_idle_timeout_s=rule.timeout_s,
                total_timeout_s=rule.timeout_s,
            )
        )
        try:
            if response.status != 200:
                raise GuardrailFailed(f"status_{response.status}")
            pieces, size = [], 0
            while piece := await response.next_chunk():
                size += len(piece)
                if size > ANSWER_BYTES_MAX:
                    raise GuardrailFailed("answer_too_large")
                pieces.append(piece)
            return b"".join(pieces)
        finally:
            response.close()

    def _headers(self, name: str, body: bytes) -> list[tuple[str, str]]:
        message_id = self._ids.next("grd")
        stamp = str(int(self._clock.utc_now().timestamp()))
        headers = [
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("webhook-id", message_id),
            ("webhook-timestamp", stamp),
        ]
        secret = self._secrets.get(name)
        if secret is not None:
            headers.append(("webhook-signature", signature(secret, message_id, stamp, body)))
        return headers


def signature(secret: SecretText, message_id: str, stamp: str, body: bytes) -> str:
    """The value of `webhook-signature`. A secret that begins with `whsec_` is the base64 of its key."""
    text = secret.reveal()
    key = text.encode()
    if text.startswith("whsec_"):
        key = base64.b64decode(text.removeprefix("whsec_") + "==")
    signed = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def address(url: str) -> tuple[Endpoint, str]:
    """Where a URL leads. Raises GuardrailFailed for one that leads nowhere."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise GuardrailFailed("no_address") from None
    if not parts.hostname:
        raise GuardrailFailed("no_address")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(parts.scheme, parts.hostname, port), path


def _body(check: OutsideCheck) -> bytes:
    return _encode(
        {
            "guardrail": check.guardrail.name,
            "stage": "answer" if check.answer else "request",
            "request_id": check.request_id,
            "tenant_id": check.tenant_id,
            "route": check.route,
            "texts": [
                {"where": seen.where.value, "field": seen.path, "text": _sendable(seen.text)}
                for seen in check.texts
            ],
        }
    )


def _sendable(text: str) -> str:
    """Halves of characters, which JSON can spell, are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _verdict(raw: bytes) -> OutsideVerdict:
    try:
        said = _decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise GuardrailFailed("malformed") from None
    # Whatever else it says could repeat what it was asked about.
    reason = said.reason if said.reason and _REASON.fullmatch(said.reason) else ""
    return OutsideVerdict(Said(said.action), reason, said.replacements)


def _word(failed: TransportFailed) -> str:
    if failed.stage in _TIMEOUTS:
        return "timeout"
    return "not_allowed_by_egress" if failed.stage is TransportStage.REFUSED else "unreachable"
