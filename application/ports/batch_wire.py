"""The lines of batch files as bytes: requests in, answers and errors out. Synchronous and pure."""

from abc import abstractmethod
from typing import Protocol

from domain.batch.line import BatchLine


class BatchWire(Protocol):
    """JSON Lines in OpenAI's shapes."""

    @abstractmethod
    def read(self, number: int, raw: bytes) -> BatchLine:
        """The request on a line. Raises UnreadableLine that names the field."""
        ...

    @abstractmethod
    def answer(self, line_id: str, custom_id: str, status: int, request_id: str, body: bytes) -> bytes:
        """A line with an HTTP answer, good or bad, and a line feed. A body that is not JSON is quoted."""
        ...

    @abstractmethod
    def refusal(self, line_id: str, custom_id: str, code: str, message: str) -> bytes:
        """A line for a request that was never answered, ended by a line feed."""
        ...
