"""Lines of files that caches are warmed from, read. Synchronous and pure; knows the wire shapes."""

from abc import abstractmethod
from typing import NamedTuple, Protocol


class WarmLine(NamedTuple):
    """A request to make, or, with `response`, one that was answered before."""

    dialect: str
    request: bytes
    response: bytes | None = None


class LoggedAnswer(NamedTuple):
    """`finish_reason` in the pivot's words; empty: the answer names none."""

    finish_reason: str
    input_tokens: int
    output_tokens: int


class WarmLines(Protocol):
    @abstractmethod
    def read(self, raw: bytes) -> WarmLine:
        """A body of a calling route, or an object with `request` (or `body`), perhaps `response`, and `url`
        where the body alone does not show its dialect. Raises InvalidRequest that names the field."""
        ...

    @abstractmethod
    def answer(self, dialect: str, response: bytes) -> LoggedAnswer:
        """What a unary answer says of itself. Raises InvalidRequest: it is no answer of that dialect."""
        ...
