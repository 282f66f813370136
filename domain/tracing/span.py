"""One step of a trace, finished: what an exporter sends."""

from enum import Enum
from typing import NamedTuple

AttributeValue = str | int | float | bool | tuple[str, ...]
Attributes = tuple[tuple[str, AttributeValue], ...]


class SpanKind(Enum):
    """Who did the work, with OpenTelemetry's numbers."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3

    # There is one member of each kind; `Enum` would hash their names, in Python, for each look into a table.
    __hash__ = object.__hash__


class Span(NamedTuple):
    """Times are UTC epoch microseconds. No text of a prompt or an answer ever stands here."""

    trace_id: str
    span_id: str
    parent_span_id: str
    """Empty: the first of its trace."""
    name: str
    kind: SpanKind
    start_us: int
    end_us: int
    attributes: Attributes
    failed: bool = False
    remote_parent: bool = False
    trace_state: str = ""
    flags: int = 1
