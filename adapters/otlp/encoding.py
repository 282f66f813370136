"""Spans as OTLP's protobuf messages (opentelemetry-proto 1.x, trace/v1)."""

from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from domain.tracing.span import AttributeValue, Span, SpanKind

HAS_IS_REMOTE: Final = 0x100
IS_REMOTE: Final = 0x200
"""Bits of `Span.flags` beside those of the trace: whether the parent is in another process, and that it is
known."""
_NS_PER_US: Final = 1000
_KINDS: Final = {
    SpanKind.INTERNAL: SpanMessage.SPAN_KIND_INTERNAL,
    SpanKind.SERVER: SpanMessage.SPAN_KIND_SERVER,
    SpanKind.CLIENT: SpanMessage.SPAN_KIND_CLIENT,
}
_FAILED: Final = Status(code=Status.STATUS_CODE_ERROR)
_INT_BITS: Final = 63


def empty_request(resource: Mapping[str, str], scope: str, version: str) -> ExportTraceServiceRequest:
    """A message that says who sends, without spans yet."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(_pair(name, value) for name, value in resource.items())
    spans = group.scope_spans.add()
    spans.scope.name, spans.scope.version = scope, version
    return request


def add_spans(request: ExportTraceServiceRequest, spans: Sequence[Span]) -> None:
    """Adds spans to what `empty_request` made."""
    group = request.resource_spans[0].scope_spans[0].spans
    group.extend([_message(span) for span in spans])


def _message(span: Span) -> SpanMessage:
    return SpanMessage(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_span_id),
        trace_state=span.trace_state,
        name=span.name,
        kind=_KINDS[span.kind],
        start_time_unix_nano=max(0, span.start_us) * _NS_PER_US,
        end_time_unix_nano=max(0, span.end_us) * _NS_PER_US,
        attributes=[_pair(name, value) for name, value in span.attributes],
        status=_FAILED if span.failed else None,
        flags=span.flags | HAS_IS_REMOTE | (IS_REMOTE if span.remote_parent else 0),
    )


def _pair(name: str, value: AttributeValue) -> KeyValue:
    return KeyValue(key=name, value=_value(value))


def _value(value: AttributeValue) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=_sayable(value))
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        # A sum beyond 64 bits would make the whole message impossible to encode.
        return AnyValue(int_value=value) if value.bit_length() <= _INT_BITS else AnyValue(double_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))


def _sayable(text: str) -> str:
    """Half a surrogate pair, as JSON bodies may have it, is nothing that UTF-8 can say."""
    return text.encode("utf-8", "replace").decode()
