"""Which JSON an answer was asked to be, read out of a request's body. Synchronous and pure."""

from abc import abstractmethod
from typing import Protocol

from domain.llm.request import LlmRequest


class AskedSchemas(Protocol):
    @abstractmethod
    def schema(self, request: LlmRequest) -> str:
        """The JSON Schema of the answer, as JSON; empty: none was given, or none that can be read."""
        ...
