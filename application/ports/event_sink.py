"""A place outside that events are passed on to, in their order.

Failure policy: raises `StoreUnavailable`; events wait in the log, and are sent later.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from application.ports.event_log import LoggedEvent


class EventSink(Protocol):
    name: str
    """What its cursor is called."""

    @abstractmethod
    async def send(self, events: Sequence[LoggedEvent]) -> None:
        """All of them, in order. Raises StoreUnavailable: some may have got there."""
        ...

    @abstractmethod
    async def lacking(self, events: Sequence[LoggedEvent]) -> list[LoggedEvent]:
        """Those of events that were sent which came after the newest it has: it lost its end. Raises
        StoreUnavailable."""
        ...
