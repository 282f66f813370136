"""Looking events up by place and time, for people and for whoever catches up.

Failure policy: raises `StoreUnavailable`.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol

from application.ports.event_log import LoggedEvent


class EventQuery(NamedTuple):
    """Which events of a tenant. `patterns` empty: all. Times are UTC epoch microseconds, `from_us` included
    and `to_us` not. With `after_seq` the oldest come first, else the newest."""

    tenant_id: str
    limit: int
    patterns: tuple[str, ...] = ()
    after_seq: int | None = None
    before_seq: int | None = None
    from_us: int | None = None
    to_us: int | None = None


class EventPages(Protocol):
    @abstractmethod
    async def page(self, query: EventQuery) -> list[LoggedEvent]:
        """At most `limit`; only events that have their place. Raises StoreUnavailable."""
        ...
