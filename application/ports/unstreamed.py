"""Asking in one piece what a caller asked as a stream."""

from abc import abstractmethod
from typing import Protocol

from domain.llm.request import LlmRequest


class Unstreamed(Protocol):
    @abstractmethod
    def whole(self, request: LlmRequest) -> LlmRequest | None:
        """The same request for a whole answer; the given one is not changed. None: its body cannot be read
        so. Synchronous and pure."""
        ...
