"""The log of events: what the outbox holds, in one order that all readers agree on.

An event comes into the log a moment after its cause, when it gets its place (`seq`). Places only rise, and an
event never appears below one that somebody could have seen: whoever reads on from the last place misses
nothing. There may be gaps.

Failure policy: raises `StoreUnavailable`; readers go on where they were.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol


class LoggedEvent(NamedTuple):
    """`event_id` is the published id, `payload` the JSON object of the event, `trace` as in the outbox."""

    seq: int
    event_id: str
    topic: str
    tenant_id: str
    payload: str
    created_at_us: int
    trace: str = ""


class EventLog(Protocol):
    @abstractmethod
    async def after(self, seq: int, tenant_id: str | None = None, *, limit: int = 100) -> list[LoggedEvent]:
        """Events behind a place, in order; of one tenant, or of all. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def newest_seq(self) -> int:
        """The newest place there is, 0 in an empty log. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def number(self, now_us: int, *, limit: int = 500) -> int:
        """Gives the oldest events of the outbox that have no place one each; how many. Raises
        StoreUnavailable."""
        ...
