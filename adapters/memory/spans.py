"""Spans in memory, for tests: the whole port, and a collector that can be taken away."""

from collections.abc import Sequence

from application.ports.spans import SpanExporter, SpansNotTaken
from domain.tracing.span import Span


class InMemorySpanExporter(SpanExporter):
    """`refusing` is raised while it is set; `rejecting` spans of each message are not wanted."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.refusing: SpansNotTaken | None = None
        self.rejecting = 0

    async def export(self, spans: Sequence[Span]) -> int:
        if self.refusing is not None:
            raise self.refusing
        rejected = min(self.rejecting, len(spans))
        self.spans.extend(spans[: len(spans) - rejected])
        return rejected
