"""Reading bodies and answers as caches compare them. Synchronous and pure; knows the wire shapes."""

from abc import abstractmethod
from typing import Protocol

from domain.caching.question import Asked, Question
from domain.llm.request import LlmRequest


class CacheReader(Protocol):
    @abstractmethod
    def asked(self, request: LlmRequest) -> Asked | None:
        """The whole body. None: it cannot be compared (not JSON, or nested beyond reason).

        Key order, whitespace, escapes, spelling of numbers, nulls and fields that only say how the answer is
        delivered or who asks (`stream`, `stream_options`, `user`, `metadata`, cache marks) make no
        difference; everything else does.
        """
        ...

    @abstractmethod
    def question(self, request: LlmRequest) -> Question | None:
        """Its last message of the user apart from all else. None where similar questions must not be looked
        for: it does not end with a plain text of the user, has tools, a schema, media, several choices, or
        is no chat at all."""
        ...

    @abstractmethod
    def answer_text(self, dialect: str, body: bytes) -> str:
        """The plain text of a unary answer; empty: it has none."""
        ...

    @abstractmethod
    def calls_tools(self, dialect: str, body: bytes) -> bool:
        """Whether a unary answer asks its caller to run a tool. True where that cannot be said."""
        ...
