"""A prediction from its making to its end: asked for, streamed or waited for, cancelled when nobody waits.

Replicate's HTTP API answers with a prediction that may still run: `Prefer: wait` holds the request for a
while, its own URL tells how it goes, another streams what it says. `Cancel-After` is the net below all:
a prediction whose caller left before it had a name ends by itself.
"""

import asyncio
import math
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from adapters.providers.family import Address
from adapters.wire.codec import Codec, StreamDecoder
from adapters.wire.errors import bad_response, useful_headers
from adapters.wire.exchange import FailureReader, transport_failure
from adapters.wire.openai import unreadable
from adapters.wire.replicate import PREDICTION_EVENT, Prediction, prediction_in
from adapters.wire.sse import SseSplitter
from application.ports.http import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    header,
)
from application.ports.llm import Block, UpstreamAnswer, UpstreamCall, UpstreamFailed, UpstreamStream
from domain.llm.failures import Failure, FailureKind
from domain.llm.stream import Faulted

WAIT_S_MAX: Final = 60
"""As long as Replicate holds a request at most."""
POLL_S_FIRST: Final = 0.25
POLL_S_MAX: Final = 5.0
POLLS_MAX: Final = 1000
CANCEL_AFTER_S_MIN: Final = 5
CANCEL_AFTER_S_MAX: Final = 24 * 3600
BRIEF_S: Final = 5.0
"""For what nobody should wait long for: a cancellation, the count after the last word."""
CANCELS_AT_ONCE_MAX: Final = 256
_LAST_LOOKS: Final = 3
_LAST_LOOK_PAUSE_S: Final = 0.2


class PredictionExchange:
    """What `Exchange` is for other providers. Keeps nothing but cancellations under way."""

    def __init__(self, transport: HttpTransport, read_error: FailureReader) -> None:
        self._transport = transport
        self._read_error = read_error
        self._cancelling: set[asyncio.Task[None]] = set()

    async def complete(
        self, codec: Codec, call: UpstreamCall, request: HttpRequest, dropped: tuple[str, ...] = ()
    ) -> UpstreamAnswer:
        """A unary answer in the caller's dialect. Raises UpstreamFailed."""
        deadline = asyncio.get_running_loop().time() + request.total_timeout_s
        wait_s = max(1, min(WAIT_S_MAX, int(request.total_timeout_s)))
        asked = _with(request, prefer=f"wait={wait_s}", **_cancel_after(request))
        response = await self._accepted(codec, asked)
        body = await self._body(response)
        prediction = _read(body)
        if not prediction.over:
            try:
                body = await self._awaited(codec, request, prediction, deadline)
            except BaseException:
                # Whatever ends the wait, the caller leaving included: nobody will read the rest.
                self.cancel(request, prediction)
                raise
        answer = codec.response(body, call)
        return UpstreamAnswer(
            answer.body,
            answer.content_type,
            answer.usage,
            answer.finish_reason,
            useful_headers(response.headers),
            dropped,
        )

    async def open_stream(
        self, codec: Codec, call: UpstreamCall, request: HttpRequest, dropped: tuple[str, ...] = ()
    ) -> UpstreamStream:
        """A stream whose success headers are here. Raises UpstreamFailed."""
        decoder = codec.stream(call)
        created = await self._accepted(codec, _with(request, **_cancel_after(request)))
        prediction = _read(await self._body(created))
        if (failure := prediction.failure) is not None:
            raise UpstreamFailed(failure)
        try:
            response = await self._accepted(codec, _listening(request, prediction))
            kind = header(response.headers, "content-type") or ""
            if not kind.startswith("text/event-stream"):
                response.close()
                raise UpstreamFailed(bad_response("the prediction's stream is none"))
        except BaseException:
            self.cancel(request, prediction)
            raise
        return _PredictionStream(self, codec, request, prediction, response, decoder, dropped)

    async def state_of(self, codec: Codec, request: HttpRequest, prediction: Prediction) -> bytes:
        """The prediction as it is now. Raises UpstreamFailed."""
        asked = request._replace(method="GET", path=_path_of(request, prediction), body=b"")
        return await self._body(await self._accepted(codec, asked))

    def cancel(self, request: HttpRequest, prediction: Prediction) -> None:
        """Tells Replicate that nobody waits any more. Never waits; bounded in time and number."""
        if prediction.over or len(self._cancelling) >= CANCELS_AT_ONCE_MAX:
            return
        asked = _brief(request)._replace(
            method="POST", path=_path_of(request, prediction) + "/cancel", body=b""
        )
        task = asyncio.get_running_loop().create_task(self._send_cancel(asked))
        self._cancelling.add(task)
        task.add_done_callback(self._cancelling.discard)

    async def _awaited(
        self, codec: Codec, request: HttpRequest, prediction: Prediction, deadline: float
    ) -> bytes:
        """The prediction once it is over. Raises UpstreamFailed, TIMEOUT when the deadline comes first."""
        now, pause_s = asyncio.get_running_loop().time, POLL_S_FIRST
        for _ in range(POLLS_MAX):
            if now() + pause_s >= deadline:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, POLL_S_MAX)
            asked = request._replace(total_timeout_s=max(deadline - now(), 0.001))
            body = await self.state_of(codec, asked, prediction)
            if _read(body).over:
                return body
        raise UpstreamFailed(Failure(kind=FailureKind.TIMEOUT, message="the prediction did not end in time"))

    async def _accepted(self, codec: Codec, request: HttpRequest) -> HttpResponse:
        """A response with a 2xx status. Raises UpstreamFailed for any other."""
        try:
            response = await self._transport.send(request)
            if 200 <= response.status < 300:
                return response
            body = await response.read()
        except TransportFailed as error:
            raise UpstreamFailed(transport_failure(error)) from None
        raise UpstreamFailed(
            self._read_error(codec.upstream_dialect, response.status, response.headers, body)
        )

    async def _body(self, response: HttpResponse) -> bytes:
        try:
            return await response.read()
        except TransportFailed as error:
            raise UpstreamFailed(transport_failure(error)) from None

    async def _send_cancel(self, request: HttpRequest) -> None:
        try:
            response = await self._transport.send(request)
            await response.read()
        except TransportFailed:
            return  # Cancel-After ends it then; there is nobody to tell.


class _PredictionStream(UpstreamStream):
    """The prediction's events; after the last of them the prediction itself, for its count and reason."""

    def __init__(
        self,
        exchange: PredictionExchange,
        codec: Codec,
        request: HttpRequest,
        prediction: Prediction,
        response: HttpResponse,
        decoder: StreamDecoder,
        dropped: tuple[str, ...],
    ) -> None:
        self._exchange = exchange
        self._codec = codec
        self._request = request
        self._prediction = prediction
        self._response = response
        self._decoder = decoder
        self._splitter = SseSplitter()
        self._begun = False
        self._done = False
        self._ended = False
        self.headers = useful_headers(response.headers)
        self.dropped = dropped

    async def next_block(self) -> Block | None:
        if not self._begun:
            self._begun = True
            return self._decoder.feed(_frame(self._prediction))
        while not self._ended:
            try:
                data = await self._response.next_chunk()
            except TransportFailed as error:
                self.close()
                raise UpstreamFailed(transport_failure(error)) from None
            block = await self._taken(data) if data else self._at_the_end()
            if block.raw or block.events:
                return block
        return None

    def close(self) -> None:
        self._ended = True
        self._response.close()
        if not self._done:
            self._done = True
            self._exchange.cancel(self._request, self._prediction)

    async def _taken(self, data: bytes) -> Block:
        frames = self._splitter.feed(data)
        if (broken := self._splitter.broken) is not None:
            # The decoder never saw the bytes that were too many.
            self.close()
            return Block(b"", (Faulted(bad_response(broken)),))
        blocks = [self._decoder.feed(frame.raw) for frame in frames]
        if any(frame.event == "done" for frame in frames):
            self._done = self._ended = True
            self._response.close()
            blocks.append(self._decoder.feed(_frame(await self._last_look())))
        return Block(
            b"".join(block.raw for block in blocks),
            tuple(event for block in blocks for event in block.events),
        )

    def _at_the_end(self) -> Block:
        self._ended = True
        return self._decoder.end()

    async def _last_look(self) -> Prediction:
        """The prediction with its counts; where it cannot be had, what `done` alone says: it succeeded."""
        for look in range(_LAST_LOOKS):
            if look:
                await asyncio.sleep(_LAST_LOOK_PAUSE_S)
            try:
                found = _read(
                    await self._exchange.state_of(self._codec, _brief(self._request), self._prediction)
                )
            except UpstreamFailed:
                break
            if found.over:
                return found
        return Prediction(id=self._prediction.id, status="succeeded", model=self._prediction.model)


def path(address: Address) -> str:
    """Official models have an address of their own; a version after a colon is asked for in the body."""
    root = address.base.path.removesuffix("/v1") + "/v1"
    if ":" in address.model:
        return f"{root}/predictions"
    return f"{root}/models/{quote(address.model, safe='/-_.~')}/predictions"


def _read(body: bytes) -> Prediction:
    try:
        return prediction_in(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(body, error) from None


def _frame(prediction: Prediction) -> bytes:
    said = msgspec.structs.replace(prediction, output=msgspec.Raw(b"null"))
    return b"event: %s\ndata: %s\n\n" % (PREDICTION_EVENT.encode(), msgspec.json.encode(said))


def _with(request: HttpRequest, **headers: str) -> HttpRequest:
    """The request with these headers in place of any of the same name; `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = [pair for pair in request.headers if pair[0] not in named]
    return request._replace(headers=(*kept, *named.items()))


def _cancel_after(request: HttpRequest) -> dict[str, str]:
    seconds = math.ceil(request.total_timeout_s)
    return {"cancel_after": f"{min(max(seconds, CANCEL_AFTER_S_MIN), CANCEL_AFTER_S_MAX)}s"}


def _brief(request: HttpRequest) -> HttpRequest:
    return request._replace(headers_timeout_s=None, body_idle_timeout_s=None, total_timeout_s=BRIEF_S)


def _path_of(request: HttpRequest, prediction: Prediction) -> str:
    """Where the prediction itself is, made from its id: an address in an answer is not to be trusted."""
    path = request.path.partition("?")[0]
    root = path.partition("/models/")[0] if "/models/" in path else path.removesuffix("/predictions")
    return f"{root}/predictions/{quote(prediction.id, safe='')}"


def _listening(request: HttpRequest, prediction: Prediction) -> HttpRequest:
    """The request for the stream, whose host is another one and gets nothing of the operator's.

    Raises UpstreamFailed for an address that is neither where we asked nor one of Replicate's, and for none.
    """
    parts = urlsplit(prediction.stream_url)
    own = request.endpoint
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 0
    endpoint = Endpoint(parts.scheme, parts.hostname or "", port)
    asked = _with(request, accept="text/event-stream", cache_control="no-store")
    if endpoint != own:
        if parts.scheme != "https" or not (_replicates(endpoint.host) and _replicates(own.host)):
            raise UpstreamFailed(bad_response("the prediction has no stream at the provider's own address"))
        asked = asked._replace(headers=[pair for pair in asked.headers if pair[0] in _SAID_TO_STREAMS])
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return asked._replace(method="GET", endpoint=endpoint, path=path, body=b"")


def _replicates(host: str) -> bool:
    return host.lower().endswith((".replicate.com", ".replicate.net", ".replicate.delivery"))


_SAID_TO_STREAMS: Final = frozenset({"accept", "cache-control", "user-agent"})
