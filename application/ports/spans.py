"""Where finished spans go.

Failure policy: open. Spans that cannot be delivered are lost in the end, and no request ever notices.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.tracing.span import Span


class SpansNotTaken(Exception):
    """The collector did not take them; `message` holds no secret.

    `again`: the same may be sent later, after `retry_after_s` where the collector says so.
    """

    def __init__(self, message: str, *, again: bool, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.again = again
        self.retry_after_s = retry_after_s


class SpanExporter(Protocol):
    @abstractmethod
    async def export(self, spans: Sequence[Span]) -> int:
        """Hands them over, all in one message; returns how many of them the collector rejected as such.

        Waits at most the exporter's own timeout. Raises SpansNotTaken.
        """
        ...
