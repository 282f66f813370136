"""Reading back what was recorded, summed up.

Failure policy: raises `StoreUnavailable`; nothing on the hot path asks. Rows appear here once the usage
log wrote them to the database, usually within a second.
"""

from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol


class UsageDimension(Enum):
    """What rows can be grouped by. Days and hours are UTC, as `2026-01-31` and `2026-01-31T07`.

    The credential is the id of the provider's key that the last attempt used; it means something beside its
    provider only, and is empty where a provider has one key.
    """

    TENANT = "tenant"
    KEY = "key"
    AGENT = "agent"
    USER = "user"
    SESSION = "session"
    WORKFLOW = "workflow"
    ROUTE = "route"
    PROVIDER = "provider"
    MODEL = "model"
    CREDENTIAL = "credential"
    OUTCOME = "outcome"
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Which requests count. None: any. Times are UTC epoch microseconds, from inclusive, to exclusive.

    `model` is the one that answered.
    """

    tenant_id: str | None = None
    key_id: str | None = None
    model: str | None = None
    provider: str | None = None
    from_us: int | None = None
    to_us: int | None = None


class UsageTotals(NamedTuple):
    """Sums over the requests of one group; `key` holds a value per dimension asked for.

    Money is exact nano-dollars over what is known: `unpriced_requests` counts requests whose cost is not.
    `attempts` counts the attempt rows of these requests, `attempt_cost_nano_usd` sums theirs.
    """

    key: tuple[str, ...]
    requests: int
    ok_requests: int
    attempts: int
    input_tokens: int
    output_tokens: int
    cached_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int
    attempt_cost_nano_usd: int
    unpriced_requests: int
    estimated_requests: int
    duration_us: int
    """Sum; divide by `requests` for the mean."""


class UsageQuery(Protocol):
    @abstractmethod
    async def totals(
        self, where: UsageFilter, by: tuple[UsageDimension, ...] = (), *, limit: int = 1000
    ) -> list[UsageTotals]:
        """One row per group, dearest first, at most `limit`; without dimensions exactly one row.

        Raises StoreUnavailable.
        """
        ...
