"""Bodies of requests for embeddings, written and read. Synchronous and pure; knows the wire shape."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol


class EmbeddingWire(Protocol):
    """Speaks `openai.embeddings`, which the pipeline translates for whoever answers."""

    @abstractmethod
    def body(self, model: str, texts: Sequence[str]) -> bytes:
        """The request for one vector of each text."""
        ...

    @abstractmethod
    def vectors(self, body: bytes, count: int) -> list[list[float]]:
        """The vectors in an answer, in the order of the texts.

        Raises ValueError: it is no such answer, or has not one vector of finite numbers for each text.
        """
        ...
