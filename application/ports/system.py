"""Time and identity, which the domain is told and the application asks for."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Never fails, never waits."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds on a scale that never goes back; only differences mean something."""
        ...

    @abstractmethod
    def utc_now(self) -> datetime:
        """Aware UTC time of day."""
        ...

    def utc_us(self) -> int:
        """The same as UTC epoch microseconds: what requests ask for, which need no date."""
        return int(self.utc_now().timestamp() * 1e6)


class IdFactory(Protocol):
    """Never fails, never waits."""

    @abstractmethod
    def next(self, prefix: str) -> str:
        """A new unique id `<prefix>_<time-ordered text>`: URL-safe, at most 40 characters."""
        ...
