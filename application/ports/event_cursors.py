"""How far somebody who passes events on has come, and that there is one of them at a time.

Failure policy: closed. Raises `StoreUnavailable`; nothing is passed on then, and nothing is lost.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol


class Cursor(NamedTuple):
    """`seq` is the last event that was passed on. `fence` rises with each change of hands."""

    seq: int
    fence: int


class EventCursors(Protocol):
    @abstractmethod
    async def take(self, name: str, holder: str, now_us: int, until_us: int, start_seq: int) -> Cursor | None:
        """Takes or keeps the cursor until then; None: somebody else holds it. A new one begins behind
        `start_seq`. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def advance(self, name: str, fence: int, seq: int) -> bool:
        """Everything up to `seq` was passed on. False: the cursor is in other hands, and nothing changed.
        A smaller `seq` changes nothing. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def release(self, name: str, fence: int) -> None:
        """Somebody else may take it at once. Raises StoreUnavailable."""
        ...
