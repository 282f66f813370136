"""Kept answers beyond one process: the second tier, and what instances tell each other about it.

Failure policy: open. Whatever goes wrong is StoreUnavailable within the adapter's own time bound, and a
miss to whoever asked; slow counts as down.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from domain.caching.entry import CachedAnswer, Position


class AnswerStore(Protocol):
    """Whole answers by key. Entries leave at `kept_until_us`, or earlier when room is short."""

    @abstractmethod
    async def read(self, key: bytes) -> CachedAnswer | None:
        """Raises StoreUnavailable. An entry that cannot be read (another version, damaged) is None."""
        ...

    @abstractmethod
    async def write(self, answers: Sequence[CachedAnswer]) -> None:
        """All of them, the later of equal keys last. Raises StoreUnavailable: some may be written."""
        ...

    @abstractmethod
    async def erase(self, keys: Sequence[bytes]) -> None:
        """Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def facts(self) -> "StoreFacts":
        """What it holds, without a scan. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """None: the store cannot say."""

    kind: str
    entries: int | None = None
    bytes_used: int | None = None
    bytes_max: int | None = None
    evictions: int | None = None
    refused_writes: int = 0
    """Of this process, for want of room."""
    problems: tuple[str, ...] = ()
    """What an operator should see to, in words: memory that runs out, settings that make it lose more."""


class LogRecord(NamedTuple):
    """One thing all instances hear: `kind` says how `data` is read (see `application.caching.hearing`)."""

    kind: str
    data: bytes


class LogPage(NamedTuple):
    """`position` is that of the last record, or where the log ends. `lost`: records between the asked
    position and the first of these are gone, or the epoch is another one."""

    records: Sequence[tuple[int, LogRecord]]
    position: Position
    lost: bool = False


class CacheLog(Protocol):
    """A bounded, ordered log that every instance reads from its own position on."""

    @abstractmethod
    async def append(self, records: Sequence[LogRecord]) -> Position:
        """The position of the last one. Raises StoreUnavailable: it is not known whether any was written."""
        ...

    @abstractmethod
    async def read(self, after: Position, limit: int) -> LogPage:
        """At most `limit` records after a position, oldest first. Never waits for new ones. `NOWHERE` starts
        at the oldest that is kept. Raises StoreUnavailable."""
        ...
