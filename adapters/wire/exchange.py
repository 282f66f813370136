"""One exchange with a provider over the transport: codec out, codec back, every failure typed.

Whoever knows URLs and headers (a direct provider, a gateway) makes the request; what follows is the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from adapters.wire.codec import Codec, StreamDecoder
from adapters.wire.errors import bad_response, error_in_success, open_headers, read_failure, useful_headers
from adapters.wire.headroom import exhausted_for_s, read_headroom
from adapters.wire.openai_stream import embedded_error
from application.ports.http import (
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
    header,
)
from application.ports.llm import (
    Block,
    UpstreamAnswer,
    UpstreamCall,
    UpstreamFailed,
    UpstreamStream,
)
from application.ports.system import Clock
from domain.llm.failures import Failure, FailureKind
from domain.resilience.key_pool import Headroom

Headers = Sequence[tuple[str, str]]
FailureReader = Callable[[str, int, Headers, bytes], Failure]
"""(upstream dialect, status, headers, body) of a non-2xx answer -> what it means."""

_KIND_BY_STAGE: Final[dict[TransportStage, FailureKind]] = {
    TransportStage.REFUSED: FailureKind.NETWORK,
    TransportStage.CONNECT: FailureKind.NETWORK,
    TransportStage.SEND: FailureKind.NETWORK,
    TransportStage.BODY: FailureKind.NETWORK,
    TransportStage.HEADERS_TIMEOUT: FailureKind.TIMEOUT,
    TransportStage.BODY_TIMEOUT: FailureKind.TIMEOUT,
}
_NOTHING_SENT: Final = frozenset({TransportStage.REFUSED, TransportStage.CONNECT})
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"


def transport_failure(error: TransportFailed) -> Failure:
    """A connection's failure in the domain's words."""
    return Failure(
        kind=FailureKind.EGRESS_REFUSED if error.by_rule else _KIND_BY_STAGE[error.stage],
        message=f"{error.stage.value}: {error.message}",
        sent=error.stage not in _NOTHING_SENT,
    )


class Exchange:
    """Sends prepared requests and reads the answers. Holds no state of its own; never retries.

    `read_error` reads non-2xx answers, `on_transport` failures of the connection; both have defaults that
    fit a provider reached directly.
    """

    __slots__ = ("_clock", "_on_transport", "_read_error", "_transport")

    def __init__(
        self,
        transport: HttpTransport,
        clock: Clock,
        *,
        read_error: FailureReader | None = None,
        on_transport: Callable[[TransportFailed], Failure] = transport_failure,
    ) -> None:
        def direct_error(dialect: str, status: int, headers: Headers, body: bytes) -> Failure:
            return read_failure(dialect, status, headers, body, clock.utc_now())

        self._transport = transport
        self._clock = clock
        self._read_error = read_error or direct_error
        self._on_transport = on_transport

    async def complete(
        self, codec: Codec, call: UpstreamCall, request: HttpRequest, dropped: tuple[str, ...] = ()
    ) -> UpstreamAnswer:
        """A unary answer in the caller's dialect. Raises UpstreamFailed."""
        try:
            response = await self._transport.send(request)
            # A transport that is cancelled here closes its connection itself.
            body = await response.read()
        except TransportFailed as error:
            raise UpstreamFailed(self._on_transport(error)) from None
        if not 200 <= response.status < 300:
            raise UpstreamFailed(self._failure(codec, call, response, body))
        answer = codec.response(body, call)
        content_type, headers = answer.content_type, response.headers
        if codec.upstream_dialect == call.request.dialect:
            content_type = header(headers, "content-type") or content_type
            passed_on = open_headers(headers)
        else:
            passed_on = useful_headers(headers)
        return UpstreamAnswer(
            answer.body, content_type, answer.usage, answer.finish_reason, passed_on, dropped,
            self._headroom(call, headers),
        )  # fmt: skip

    def _failure(self, codec: Codec, call: UpstreamCall, response: HttpResponse, body: bytes) -> Failure:
        failure = self._read_error(codec.upstream_dialect, response.status, response.headers, body)
        unsaid = failure.kind is FailureKind.RATE_LIMIT and failure.retry_after_s is None
        if unsaid and call.credential:
            return replace(failure, retry_after_s=exhausted_for_s(self._headroom(call, response.headers)))
        return failure

    def _headroom(self, call: UpstreamCall, headers: Headers) -> Headroom | None:
        return read_headroom(headers, self._clock.utc_now()) if call.credential else None

    async def open_stream(
        self, codec: Codec, call: UpstreamCall, request: HttpRequest, dropped: tuple[str, ...] = ()
    ) -> UpstreamStream:
        """A stream whose success headers are here. Raises UpstreamFailed."""
        decoder = codec.stream(call)
        try:
            response = await self._transport.send(request)
            if 200 <= response.status < 300 and not _is_json(response.headers):
                shown = open_headers if codec.upstream_dialect == call.request.dialect else useful_headers
                decoder.begin(response.headers)
                headers = shown(response.headers) + _media_type(response.headers)
                return _OpenStream(
                    response, decoder, self._on_transport, dropped, headers,
                    self._headroom(call, response.headers),
                )  # fmt: skip
            body = await response.read()
        except TransportFailed as error:
            raise UpstreamFailed(self._on_transport(error)) from None
        if 200 <= response.status < 300:
            told = codec.unstreamed(body)
            if told is None:
                raise UpstreamFailed(_no_stream(body))
            return _ToldStream(decoder, told, dropped, useful_headers(response.headers))
        raise UpstreamFailed(self._failure(codec, call, response, body))


def _is_json(headers: Headers) -> bool:
    content_type = header(headers, "content-type")
    return content_type is not None and content_type.startswith(_JSON)


def _media_type(headers: Headers) -> tuple[tuple[str, str], ...]:
    """The type of what is streamed where it is not events, such as sound: the caller must know it."""
    content_type = header(headers, "content-type")
    if content_type is None or content_type.lower().startswith(_EVENTS):
        return ()
    return (("content-type", content_type),)


def _no_stream(body: bytes) -> Failure:
    """A stream was asked for, and a JSON document came: an error under 200, or `stream` was ignored."""
    found = embedded_error(body)
    if found is not None:
        return error_in_success(found, body)
    return bad_response("a stream was asked for, but the provider answered with one JSON document")


class _OpenStream(UpstreamStream):
    """An accepted stream: bytes from the transport through the decoder."""

    __slots__ = ("_decoder", "_ended", "_on_transport", "_response", "dropped", "headers", "headroom")

    def __init__(
        self,
        response: HttpResponse,
        decoder: StreamDecoder,
        on_transport: Callable[[TransportFailed], Failure],
        dropped: tuple[str, ...],
        headers: tuple[tuple[str, str], ...],
        headroom: Headroom | None = None,
    ) -> None:
        self.headroom = headroom
        self._response = response
        self._decoder = decoder
        self._on_transport = on_transport
        self._ended = False
        self.headers = headers
        self.dropped = dropped

    async def next_block(self) -> Block | None:
        while not self._ended:
            try:
                data = await self._response.next_chunk()
            except TransportFailed as error:
                self._ended = True
                raise UpstreamFailed(self._on_transport(error)) from None
            if data:
                block = self._decoder.feed(data)
            else:
                self._ended = True
                block = self._decoder.end()
            if block.raw or block.events:
                return block
        return None

    def conclude(self) -> Block:
        self._ended = True
        return self._decoder.end()

    def close(self) -> None:
        self._ended = True
        self._response.close()


class _ToldStream(UpstreamStream):
    """A stream of bytes that are all here."""

    __slots__ = ("_decoder", "_told", "dropped", "headers")

    def __init__(
        self,
        decoder: StreamDecoder,
        told: bytes,
        dropped: tuple[str, ...],
        headers: tuple[tuple[str, str], ...],
    ) -> None:
        self._decoder = decoder
        self._told: bytes | None = told
        self.dropped = dropped
        self.headers = headers

    async def next_block(self) -> Block | None:
        told, self._told = self._told, None
        return None if told is None else self._decoder.feed(told)

    def close(self) -> None:
        self._told = None
