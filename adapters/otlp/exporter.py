"""Sends spans over OTLP/HTTP with protobuf (https://opentelemetry.io/docs/specs/otlp/#otlphttp)."""

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from adapters.otlp.encoding import add_spans, empty_request
from application.ports.http import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
    header,
)
from application.ports.spans import SpanExporter, SpansNotTaken
from application.ports.system import Clock
from domain.errors import InvalidRequest
from domain.resilience.backoff import parse_retry_after
from domain.tracing.span import Span

CONNECT_TIMEOUT_S: Final = 3.0
ANSWER_BYTES_MAX: Final = 64 * 1024
SLICE_SPANS: Final = 16
"""So many are encoded before others get the event loop."""
GZIP_LEVEL: Final = 1
_AGAIN: Final = frozenset({429, 502, 503, 504})
"""What the protocol allows to be sent again; everything else is refused for good."""


class OtlpHttpExporter(SpanExporter):
    """`url` is the whole address, path included. `resource` says who sends (`service.name` and so on)."""

    def __init__(
        self,
        url: str,
        transport: HttpTransport,
        clock: Clock,
        *,
        resource: Mapping[str, str],
        version: str,
        headers: Mapping[str, str],
        timeout_s: float,
        compressed: bool = True,
    ) -> None:
        """Raises InvalidRequest for what is no http(s) address."""
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise InvalidRequest(
                "tracing.endpoint must be an http(s) address without a user", param="tracing.endpoint"
            )
        self._endpoint = Endpoint(parts.scheme, parts.hostname, port)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._transport = transport
        self._clock = clock
        self._resource = dict(resource)
        self._version = version
        self._timeout_s = timeout_s
        self._compressed = compressed
        fixed = {"content-type": "application/x-protobuf", "user-agent": f"interchange/{version}"}
        if compressed:
            fixed["content-encoding"] = "gzip"
        self._headers = tuple({**fixed, **{name.lower(): value for name, value in headers.items()}}.items())

    async def export(self, spans: Sequence[Span]) -> int:
        if not spans:
            return 0
        body = await self._encoded(spans)
        request = HttpRequest(
            method="POST",
            endpoint=self._endpoint,
            path=self._path,
            headers=self._headers,
            body=body,
            connect_timeout_s=min(CONNECT_TIMEOUT_S, self._timeout_s),
            headers_timeout_s=self._timeout_s,
            body_idle_timeout_s=self._timeout_s,
            total_timeout_s=self._timeout_s,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._transport.send(request)
                try:
                    answer = await _read(response)
                finally:
                    response.close()
        except TimeoutError:
            raise SpansNotTaken(f"no answer within {self._timeout_s:g} s", again=True) from None
        except TransportFailed as failed:
            again = failed.stage is not TransportStage.REFUSED
            raise SpansNotTaken(f"{self._endpoint.authority}: {failed.message}", again=again) from None
        if 200 <= response.status < 300:
            return min(_rejected(answer), len(spans))
        asked = header(response.headers, "retry-after")
        raise SpansNotTaken(
            f"{self._endpoint.authority} answered {response.status}",
            again=response.status in _AGAIN,
            retry_after_s=parse_retry_after(asked, utc_now=self._clock.utc_now()),
        )

    async def _encoded(self, spans: Sequence[Span]) -> bytes:
        message = empty_request(self._resource, "interchange", self._version)
        for start in range(0, len(spans), SLICE_SPANS):
            add_spans(message, spans[start : start + SLICE_SPANS])
            await asyncio.sleep(0)
        body: bytes = message.SerializeToString()
        if not self._compressed:
            return body
        return await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL)  # lets others run meanwhile


async def _read(response: HttpResponse) -> bytes:
    """The answer, bounded; of a longer one nothing matters but its status."""
    pieces: list[bytes] = []
    size = 0
    while piece := await response.next_chunk():
        size += len(piece)
        if size > ANSWER_BYTES_MAX:
            return b""
        pieces.append(piece)
    return b"".join(pieces)


def _rejected(answer: bytes) -> int:
    """How many spans a collector says it did not want; what is no such message says nothing."""
    try:
        told = ExportTraceServiceResponse.FromString(answer).partial_success
    except DecodeError:
        return 0
    return max(0, int(told.rejected_spans))
