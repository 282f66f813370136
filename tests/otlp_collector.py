"""An OTLP/HTTP collector as operators run one: a real server that decodes protobuf and keeps the spans."""

import gzip
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Received(NamedTuple):
    """A span as it came, with what its sender says of itself."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool
    flags: int
    trace_state: str
    attributes: dict[str, Any]
    resource: dict[str, Any]


class OtlpCollector:
    """`status` and `retry_after` are what the next messages get; `rejecting` spans of each are not wanted."""

    def __init__(self) -> None:
        self.status = 200
        self.retry_after = ""
        self.rejecting = 0
        self.silent = False
        self.spans: list[Received] = []
        self.messages: list[tuple[str, dict[str, str]]] = []
        """Path and headers of each message, also of those that were refused."""
        self._over = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.take(self, body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def take(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Keeps what a message holds, and answers."""
        headers = {name.lower(): text for name, text in handler.headers.items()}
        self.messages.append((handler.path, headers))
        if self.silent:
            self._over.wait(10)
            return
        if self.status == 200:
            raw = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
            self.spans.extend(_received(ExportTraceServiceRequest.FromString(raw)))
        answer = ExportTraceServiceResponse()
        if self.rejecting:
            answer.partial_success.rejected_spans = self.rejecting
        told = answer.SerializeToString()
        handler.send_response(self.status)
        if self.retry_after:
            handler.send_header("retry-after", self.retry_after)
        handler.send_header("content-type", "application/x-protobuf")
        handler.send_header("content-length", str(len(told)))
        handler.end_headers()
        try:
            handler.wfile.write(told)
        except OSError:
            handler.close_connection = True

    def trace(self, trace_id: str, complete: Callable[[list[Received]], bool] = bool) -> list[Received]:
        """The spans of one trace, as soon as they are `complete`, in the order of their beginnings."""
        give_up = time.monotonic() + 15
        while time.monotonic() < give_up:
            found = [span for span in self.spans if span.trace_id == trace_id]
            if complete(found):
                return sorted(found, key=lambda span: (span.start_ns, -span.end_ns))
            time.sleep(0.05)
        raise TimeoutError(f"the trace did not come: {[span.name for span in self.spans]}")


def _received(request: ExportTraceServiceRequest) -> list[Received]:
    return [
        Received(
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.name,
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.status.code == 2,
            span.flags,
            span.trace_state,
            _read(span.attributes),
            _read(group.resource.attributes),
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _read(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(each) for each in value.array_value.values)
    return getattr(value, kind)
