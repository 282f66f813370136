"""Reading back what was recorded: sums by any dimension, roll-ups, and what providers should have billed.

Failure policy: raises `StoreUnavailable`; nothing on the hot path asks. Rows appear here once the usage
log wrote them to the database, usually within a second.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple, Protocol

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UsageDimension(Enum):
    """What rows can be grouped by. Times are UTC: `2026-01`, `2026-01-31` and `2026-01-31T07`.

    The credential is the id of the provider's key that the last attempt used; it means something beside its
    provider only, and is empty where a provider has one key. Team, project and cost centre are those of the
    key as it was when it asked. What caches did is told in the words of `domain.caching.effect`, the kind of
    task in those of `domain.quality.tasks`; it is empty in sums of before it was told.
    """

    TENANT = "tenant"
    KEY = "key"
    TEAM = "team"
    PROJECT = "project"
    COST_CENTER = "cost_center"
    AGENT = "agent"
    USER = "user"
    SESSION = "session"
    WORKFLOW = "workflow"
    ROUTE = "route"
    OPERATION = "operation"
    PROVIDER = "provider"
    MODEL = "model"
    CREDENTIAL = "credential"
    EXPERIMENT = "experiment"
    ARM = "arm"
    TASK = "task"
    OUTCOME = "outcome"
    CACHE = "cache"
    MONTH = "month"
    DAY = "day"
    HOUR = "hour"


TIME_DIMENSIONS: Final = frozenset({UsageDimension.MONTH, UsageDimension.DAY, UsageDimension.HOUR})
"""Of these, `from_us` and `to_us` choose."""
UNROLLED: Final = frozenset(
    {
        UsageDimension.AGENT,
        UsageDimension.USER,
        UsageDimension.SESSION,
        UsageDimension.WORKFLOW,
        UsageDimension.CREDENTIAL,
        UsageDimension.EXPERIMENT,
        UsageDimension.ARM,
    }
)
"""What roll-ups do not know; sums by these are made from single rows, and take longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Which requests count. None: any. Times are UTC epoch microseconds, from inclusive, to exclusive.

    `provider` and `model` are those that answered. `only` names further dimensions, each with the values
    that count, any of them; never one of TIME_DIMENSIONS.
    """

    tenant_id: str | None = None
    key_id: str | None = None
    model: str | None = None
    provider: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    only: tuple[tuple[UsageDimension, tuple[str, ...]], ...] = ()

    def demands(self) -> Iterator[tuple[UsageDimension, tuple[str, ...]]]:
        """Every dimension that is limited, with the values that count."""
        named = (
            (UsageDimension.TENANT, self.tenant_id),
            (UsageDimension.KEY, self.key_id),
            (UsageDimension.MODEL, self.model),
            (UsageDimension.PROVIDER, self.provider),
        )
        yield from ((dimension, (value,)) for dimension, value in named if value is not None)
        yield from self.only


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
    upstream_us: int
    """Sum of the time spent waiting for providers."""
    first_token_us: int
    """Sum over `first_token_requests`."""
    first_token_requests: int
    cache_lookups: int
    cache_hits: int
    """Of `cache_lookups`; what they are is in `domain.caching.effect`."""
    saved_nano_usd: int
    """What hits would have cost, over what is known: `unpriced_hits` counts those of which nobody knows."""
    unpriced_hits: int
    prompt_cache_saved_nano_usd: int
    """What providers' prompt caches saved, less the surcharge for writing them."""
    unpriced_prompt_cache_attempts: int


class UsageOrder(Enum):
    """Which groups come first; equal ones by the other amount, then by their key."""

    COST = "cost"
    """The dearest."""
    REQUESTS = "requests"
    """The busiest."""
    KEY = "key"
    """By the values of the dimensions, in the order they were asked for: the oldest, where that is a time."""


class UsageQuery(Protocol):
    @abstractmethod
    async def totals(
        self,
        where: UsageFilter,
        by: tuple[UsageDimension, ...] = (),
        *,
        limit: int = 1000,
        order: UsageOrder = UsageOrder.COST,
    ) -> list[UsageTotals]:
        """One row per group in that order, at most `limit`; without dimensions exactly one row.

        Answers that need nothing of UNROLLED come from roll-ups, and cost no more for more requests.

        Raises StoreUnavailable.
        """
        ...


def shown_value(dimension: UsageDimension, value: object) -> str:
    """A group's value as text: of times, the number of hours, days or (since year 0) months."""
    if dimension not in TIME_DIMENSIONS:
        return str(value)
    assert isinstance(value, int), "times are counted"
    if dimension is UsageDimension.MONTH:
        year, month = divmod(value, 12)
        return f"{year:04d}-{month + 1:02d}"
    if dimension is UsageDimension.DAY:
        return f"{_EPOCH + timedelta(days=value):%Y-%m-%d}"
    return f"{_EPOCH + timedelta(hours=value):%Y-%m-%dT%H}"
