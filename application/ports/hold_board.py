"""Open holds, where the death of the process does not reach them.

A hold is on the board before its attempt is sent, and leaves it after the attempt's row was recorded. What a
dead process left on its board was sent, perhaps billed, and has no row: it is posted as unresolved.

Failure policy: closed. Without a free place, or without a disk to write on, nothing may be sent.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class HoldGroup(NamedTuple):
    """The accounts that holds of one kind concern. Many holds share one group."""

    holder: str
    payer: str
    leased: tuple[str, ...]
    soft: tuple[str, ...]


class OpenHold(NamedTuple):
    """What a dead process left."""

    attempt_id: str
    held_nano_usd: int
    group: HoldGroup


class AbandonedHolds(NamedTuple):
    """What was found on the board of a process that is gone: its holders, and its holds that were open."""

    holders: tuple[str, ...]
    holds: Sequence[OpenHold]
    damaged: bool = False
    """Whether something could not be read: then its leases are not given back, but booked in time."""


class HoldBoard(Protocol):
    """Belongs to one event loop; never waits."""

    @abstractmethod
    def announce(self, holder: str) -> None:
        """Notes a holder before it is opened, so that whoever finds the board can close it.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    def retire(self, holder: str) -> None:
        """The holder was closed, or never opened: nobody needs to close it. Never raises."""
        ...

    @abstractmethod
    def put(self, attempt_id: str, held_nano_usd: int, group: HoldGroup) -> int:
        """The place the hold got. Raises StoreUnavailable: nothing may be sent."""
        ...

    @abstractmethod
    def clear(self, place: int) -> None:
        """The attempt's row was recorded, or nothing was sent. Never raises."""
        ...
