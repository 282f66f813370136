"""Which traces are recorded: decided once, when a request comes in."""

from typing import Final, NamedTuple

from domain.tracing.context import TraceParent

_RANDOM_BITS: Final = 56
_RANDOM_DIGITS: Final = _RANDOM_BITS // 4
"""The rightmost 56 bits of a trace id are random (trace context, level 2)."""


class Sampler(NamedTuple):
    """`ratio` of the traces that begin here. With `parent_based`, who already belongs to a trace follows its
    caller's decision; without, the ratio decides for those, too.

    The decision follows from the trace id, as OpenTelemetry's TraceIdRatioBased does, so that all services
    with one ratio agree.
    """

    ratio: float
    parent_based: bool = True

    def records(self, trace_id: str, parent: TraceParent | None) -> bool:
        """Whether this trace is recorded."""
        if parent is not None and self.parent_based:
            return parent.sampled
        ratio = self.ratio
        if ratio >= 1.0:
            return True
        return ratio > 0.0 and int(trace_id[-_RANDOM_DIGITS:], 16) < ratio * (1 << _RANDOM_BITS)
