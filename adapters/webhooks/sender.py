"""Sends webhooks over HTTP, each through its tenant's way out."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from application.outside import Outside
from application.ports.http import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    TransportFailed,
    TransportStage,
    header,
)
from application.ports.system import Clock
from application.ports.webhook_sender import Message, WebhookSender
from domain.resilience.backoff import parse_retry_after
from domain.webhooks.delivery import EXCERPT_LENGTH_MAX, Attempt, Outcome, outcome_of_status

TIMEOUT_S: Final = 15.0
CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 64 * 1024
"""What is read of an answer; the rest is left, with its connection."""
_US: Final = 1_000_000
_STAGES: Final[Mapping[TransportStage, Outcome]] = MappingProxyType(
    {
        TransportStage.REFUSED: Outcome.EGRESS,
        TransportStage.CONNECT: Outcome.CONNECT,
        TransportStage.SEND: Outcome.BROKEN,
        TransportStage.HEADERS_TIMEOUT: Outcome.TIMEOUT,
        TransportStage.BODY: Outcome.BROKEN,
        TransportStage.BODY_TIMEOUT: Outcome.TIMEOUT,
    }
)
_CONNECTING: Final = (
    ("cannot be resolved", Outcome.DNS),
    ("certificate not accepted", Outcome.TLS),
    ("TLS failed", Outcome.TLS),
    ("timed out", Outcome.TIMEOUT),
)
"""Words of the transport about connections that did not come about."""


class HttpWebhookSender(WebhookSender):
    """`timeout_s` bounds an attempt from the name's resolution to the answer's end. No redirect is followed.

    `http_allowed`: also without TLS.
    """

    def __init__(
        self, outside: Outside, clock: Clock, *, timeout_s: float = TIMEOUT_S, http_allowed: bool = False
    ) -> None:
        self._outside = outside
        self._clock = clock
        self._timeout_s = timeout_s
        self._schemes = ("https", "http") if http_allowed else ("https",)

    async def send(self, message: Message) -> Attempt:
        begun_s, at_us = self._clock.monotonic(), round(self._clock.utc_now().timestamp() * _US)

        def ended(outcome: Outcome, detail: str, status: int | None = None) -> Attempt:
            took_ms = round((self._clock.monotonic() - begun_s) * 1000)
            return Attempt(outcome, at_us, took_ms, status, None, _told(detail))

        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._outside.of_tenant(message.tenant_id).send(self._request(message))
                try:
                    text = await _excerpt(response)
                finally:
                    response.close()
        except TimeoutError:
            return ended(Outcome.TIMEOUT, f"no whole answer within {self._timeout_s:g} s")
        except TransportFailed as failed:
            return ended(_outcome(failed), failed.message)
        except ValueError:
            return ended(Outcome.EGRESS, "the address leads nowhere that webhooks are sent to")
        attempt = ended(outcome_of_status(response.status), text, response.status)
        wait = header(response.headers, "retry-after")
        return attempt._replace(retry_after_s=parse_retry_after(wait, utc_now=self._clock.utc_now()))

    def _request(self, message: Message) -> HttpRequest:
        """Raises ValueError for an address that nothing is sent to."""
        parts = urlsplit(message.url)
        if parts.scheme not in self._schemes or not parts.hostname:
            raise ValueError
        port = parts.port or (443 if parts.scheme == "https" else 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return HttpRequest(
            method="POST",
            endpoint=Endpoint(parts.scheme, parts.hostname, port),
            path=path,
            headers=message.headers,
            body=message.body,
            connect_timeout_s=min(CONNECT_TIMEOUT_S, self._timeout_s),
            headers_timeout_s=self._timeout_s,
            body_idle_timeout_s=self._timeout_s,
            total_timeout_s=self._timeout_s,
        )


async def _excerpt(response: HttpResponse) -> str:
    """The begin of the body. An answer that breaks off after its status is an answer all the same: only the
    status counts."""
    pieces, size = [], 0
    try:
        while size < ANSWER_BYTES_MAX and (piece := await response.next_chunk()):
            pieces.append(piece)
            size += len(piece)
    except TransportFailed as failed:
        if failed.stage is TransportStage.BODY_TIMEOUT:
            raise
    return b"".join(pieces)[: EXCERPT_LENGTH_MAX * 4].decode("utf-8", "replace")


def _outcome(failed: TransportFailed) -> Outcome:
    if failed.stage is TransportStage.CONNECT:
        for words, outcome in _CONNECTING:
            if words in failed.message:
                return outcome
    return _STAGES[failed.stage]


def _told(text: str) -> str:
    """What may stand in the log: bounded, and nothing that a terminal or a database could stumble over."""
    clean = "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)
    return clean[:EXCERPT_LENGTH_MAX]
