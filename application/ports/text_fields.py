"""Every text of a request or an answer, wherever its dialect puts it. Synchronous and without I/O.

Failure policy: closed. A string in a place nobody knows is a text; what can be no text is skipped only where
it looks like what it should be: names of models, ids, words of an enumeration, media in base64, signatures.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol

from domain.llm.stream import ContentKind
from domain.privacy.policy import Where


class RunningText(Protocol):
    """One text that comes in pieces. What `feed` and `end` return, together, is the text as it goes on."""

    @abstractmethod
    def feed(self, piece: str) -> str:
        """What is certain by now; the rest is held. Raises what ends the answer."""
        ...

    @abstractmethod
    def end(self) -> str:
        """What was held. Nothing is fed after it."""
        ...


class TextWork(Protocol):
    """What is done to texts. `before` are words that say what a text is, such as the name of its field."""

    hides_logprobs: bool
    """Whether tables of tokens, which spell a text out piece by piece, are left out of answers."""

    @abstractmethod
    def whole(self, text: str, where: Where, path: str, before: str = "") -> str:
        """The text as it goes on; the very same object where nothing changes."""
        ...

    @abstractmethod
    def running(self, where: Where, path: str, before: str = "") -> RunningText:
        """Does the same to a text that comes in pieces, wherever it is cut."""
        ...

    @abstractmethod
    def sealed(self, text: str, where: Where, path: str) -> None:
        """A text that its maker signed, so that it can only be let through or refused."""
        ...

    @abstractmethod
    def running_seal(self, where: Where, path: str) -> RunningText | None:
        """The same for one in pieces; what it returns counts for nothing. None: all goes through."""
        ...

    @abstractmethod
    def unreadable(self, where: Where, path: str) -> None:
        """Something that stands for text and cannot be read as such: numbers of tokens."""
        ...


class Said(NamedTuple):
    """What some frames came to: their bytes, and the pieces of the answer in them."""

    raw: bytes
    texts: tuple[tuple[ContentKind, str], ...]
    changed: bool = True
    """Whether they are other bytes than came in."""


class FrameTexts(Protocol):
    """The texts of one stream."""

    @abstractmethod
    def feed(self, raw: bytes) -> Said:
        """Whole frames in, whole frames out; what is held back comes with a later one. Frames in which
        nothing changes keep their bytes."""
        ...

    @abstractmethod
    def end(self) -> Said:
        """The stream is over: what was held, in frames of its own."""
        ...


class TextFields(Protocol):
    @abstractmethod
    def request(self, dialect: str, body: bytes, content_type: str, work: TextWork) -> bytes:
        """The body with `work` done to all its texts; the very same object where nothing changes.

        Raises InvalidRequest for what cannot be read.
        """
        ...

    @abstractmethod
    def answer(self, dialect: str, body: bytes, content_type: str, work: TextWork) -> bytes:
        """The same for a whole answer. Raises ValueError for what is no answer of the dialect."""
        ...

    @abstractmethod
    def stream(self, dialect: str, work: TextWork) -> FrameTexts:
        """The same for an answer in frames."""
        ...
