"""The trace of one running request, and what of it goes on to others."""

from enum import Enum
from typing import Final, NamedTuple

from domain.tracing.context import SAMPLED, TraceParent, traceparent
from domain.tracing.ids import span_id_of

TraceHeaders = tuple[tuple[str, str], ...]
"""Names in lower case; empty: this call tells nothing of the trace."""
NO_HEADERS: Final[TraceHeaders] = ()


class Receiver(Enum):
    """Who may be told of a trace."""

    GATEWAY = "gateway"
    PROVIDERS = "providers"
    TOOLS = "tools"
    WEBHOOKS = "webhooks"

    # There is one member of each kind; `Enum` would hash their names, in Python, for each look into a set.
    __hash__ = object.__hash__


class TraceContext(NamedTuple):
    """What a caller's headers say of the trace it belongs to."""

    parent: TraceParent
    state: str = ""


class ActiveTrace(NamedTuple):
    """`recorded`: whether its spans go to the collector; decided when it began, so that all who are told of
    it are told the same."""

    trace_id: str
    context: TraceContext | None
    """Of the caller; None: the trace begins here."""
    recorded: bool
    told: frozenset[Receiver]

    @property
    def parent_span_id(self) -> str:
        """The caller's span; empty: the trace begins here."""
        return "" if self.context is None else self.context.parent.span_id

    def headers(self, receiver: Receiver, span_name: str, *, state: bool = False) -> TraceHeaders:
        """What a call outward carries; `span_name` is what its span's id is made of (an attempt id).

        Where nothing is recorded here, a caller's context goes on as it came, so that what is recorded
        behind us hangs below the caller's span. `tracestate` goes to the gateway, and to whom `state` names,
        because vendors put into it what they like.
        """
        if receiver not in self.told:
            return NO_HEADERS
        context = self.context
        if self.recorded:
            # Whether the id is random is known of our own ids and of what the caller says of its own.
            flags = SAMPLED if context is None else context.parent.flags | SAMPLED
            parent = traceparent(self.trace_id, span_id_of(span_name), flags)
        elif context is not None:
            parent = traceparent(*context.parent)
        else:
            return NO_HEADERS
        if context is not None and context.state and (state or receiver is Receiver.GATEWAY):
            return (("traceparent", parent), ("tracestate", context.state))
        return (("traceparent", parent),)
