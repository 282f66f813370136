"""Cutting a stream of bytes into frames, whatever marks their ends. No I/O."""

from abc import abstractmethod
from typing import Protocol

from adapters.wire.sse import Frame


class Framer(Protocol):
    """One stream's splitter. How the bytes were cut never changes the frames.

    `broken` says in words why nothing more can be read (a frame over the limit, a checksum that does not
    match); None while all is well. What is broken stays broken, and `feed` returns nothing from then on.
    """

    @property
    @abstractmethod
    def broken(self) -> str | None: ...

    @abstractmethod
    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order."""
        ...

    @abstractmethod
    def end(self) -> Frame | None:
        """What an ended connection leaves of a last frame, where that can still mean something."""
        ...
