"""What requests and answers of the Responses API say about things that are kept.

Synchronous and pure. Bodies are those of requests that were read already (`RequestReader`), so they are
JSON objects; whatever else in them is not understood is left as it is.
"""

from abc import abstractmethod
from collections.abc import Collection
from typing import NamedTuple, Protocol

from domain.llm.contents import Contents
from domain.llm.usage import Usage

FINISHED = frozenset({"completed", "incomplete", "failed", "cancelled"})
SEALED_PREFIX = "sealed:"
"""Begins the ids under which reasoning is known that only its maker can read."""


class References(NamedTuple):
    """What a request names without containing it."""

    items: tuple[str, ...] = ()
    """Ids of items that stand for their content (`item_reference`)."""
    reasoning: tuple[str, ...] = ()
    """Ids of reasoning items whose content only the provider has."""
    sealed: tuple[str, ...] = ()
    """Ids (`sealed:` and a digest) of encrypted reasoning."""
    conversation: bool = False
    """Whether it names a conversation kept by a provider."""


class SeenAnswer(NamedTuple):
    """What an answer says about itself, whole or at the beginning or end of its stream."""

    id: str
    kept: bool
    """Whether its maker keeps it."""
    status: str
    items: tuple[str, ...] = ()
    """Ids of its output items."""
    sealed: tuple[str, ...] = ()
    usage: Usage | None = None
    error_code: str = ""
    body: bytes = b""
    """The response object itself."""

    @property
    def finished(self) -> bool:
        """Whether it does not change any more."""
        return self.status in FINISHED


class AnswerWatch(Protocol):
    """Follows one stream."""

    @abstractmethod
    def feed(self, raw: bytes) -> SeenAnswer | None:
        """What the newest event with a whole response in these bytes says; bytes may break anywhere."""
        ...


class AnswerReading(Protocol):
    """Reads and edits bodies of one dialect."""

    @abstractmethod
    def references(self, body: bytes) -> References:
        """Raises InvalidRequest for items of another shape than the dialect's."""
        ...

    @abstractmethod
    def without(self, body: bytes, ids: Collection[str]) -> bytes:
        """The request without the reasoning items known under these ids, sealed or plain."""
        ...

    @abstractmethod
    def contents(self, body: bytes, fields: frozenset[str]) -> Contents:
        """What a request with these top-level names holds beside text."""
        ...

    @abstractmethod
    def seen(self, body: bytes) -> SeenAnswer | None:
        """What a whole response says; None when it is none."""
        ...

    @abstractmethod
    def watch(self) -> AnswerWatch: ...

    @abstractmethod
    def as_kept(self, raw: bytes) -> bytes:
        """A whole response, or events of a stream, with `store` true: Interchange keeps it."""
        ...

    @abstractmethod
    def content(self, request_body: bytes, history: bytes | None, answer: bytes) -> bytes:
        """The exchange as it is kept: `history` is the kept content it continues."""
        ...

    @abstractmethod
    def expanded(self, body: bytes, content: bytes) -> bytes:
        """The request with everything said before in its input, in place of the id it continues."""
        ...

    @abstractmethod
    def answer_of(self, content: bytes) -> bytes:
        """The response object of a kept content."""
        ...

    @abstractmethod
    def input_page(self, content: bytes, *, order: str, limit: int, after: str) -> bytes:
        """A page of the input items of a kept content, as a list object."""
        ...
