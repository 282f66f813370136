"""Reading single requests back, newest first.

Failure policy: raises `StoreUnavailable`; nothing on the hot path asks. A row appears once the usage log
wrote it to the database, usually within a second of the request's end, and not in the order of the ends:
whoever follows along asks again for the last few seconds and leaves out what it has seen.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from domain.analytics.event import RequestEvent


class RowPlace(NamedTuple):
    """A row's place in the order: when its request ended (UTC epoch microseconds), then its id."""

    finished_us: int
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """Which requests. None: any. Times are of the request's end, from inclusive, to exclusive.

    `model` and `provider` are those that answered. `failed` keeps only what did not end `ok`. `cache` is what
    the answer cache did; `hit` stands for all its hits. An unknown cost reaches no `min_cost_nano_usd`.
    `has_fallback`: whether other targets were tried or passed over first. `after` starts the page behind that
    row, which is older.
    """

    tenant_id: str | None = None
    key_id: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    provider: str | None = None
    model: str | None = None
    route: str | None = None
    outcome: str | None = None
    status: int | None = None
    cache: str | None = None
    task: str | None = None
    trace_id: str | None = None
    min_cost_nano_usd: int | None = None
    min_duration_us: int | None = None
    has_fallback: bool | None = None
    failed: bool = False
    from_us: int | None = None
    to_us: int | None = None
    after: RowPlace | None = None


ANY_HIT: Final = "hit"
"""As `RowFilter.cache`: answered by the cache, however."""


def place_of(event: RequestEvent) -> RowPlace:
    return RowPlace(event.started_at_us + event.duration_us, event.request_id)


class RequestRows(Protocol):
    @abstractmethod
    async def newest(self, where: RowFilter, *, limit: int) -> list[RequestEvent]:
        """At most `limit` requests, the latest end first, without their attempts."""
        ...

    @abstractmethod
    async def one(self, request_id: str, tenant_id: str | None) -> RequestEvent | None:
        """The request with its attempts in order; None when this tenant (None: any) has none of that id."""
        ...
