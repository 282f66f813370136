"""An objective: which share of requests has to be good, and how much of the rest is used up.

The words are those of Google's "Site Reliability Workbook" (2018), chapters 2 and 5: the error budget is what
an objective leaves to be bad; the burn rate is how many times faster than that it is used.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from domain.errors import InvalidConfiguration
from domain.sla.measure import (
    DAY_US,
    DURATION_MS,
    HOUR_US,
    MINUTE_US,
    OVERHEAD_MS,
    Measure,
    quantile_ms,
    scope_of,
    within,
)

WINDOW_DAYS: Final = 30
WINDOW_DAYS_MAX: Final = 35


class Aspect(StrEnum):
    """What is looked at."""

    AVAILABILITY = "availability"
    """Requests that got a whole answer, of those whose failure would be the installation's matter."""
    ERROR_RATE = "error_rate"
    """Requests that did not end in an error of any kind, of all that were neither cancelled nor refused as
    limits, budgets and rules say."""
    HIT_RATIO = "hit_ratio"
    """Requests answered from a cache, of those that a cache could have answered."""
    LATENCY = "latency"
    """Requests that took at most `limit_ms` as a whole."""
    OVERHEAD = "overhead"
    """Requests of which at most `limit_ms` were spent in the installation itself."""


TIMED: Final = frozenset({Aspect.LATENCY, Aspect.OVERHEAD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """At least `target` of the requests are good, over `window_days`. `aim` is what one would like to have;
    nothing follows from it. Empty `tenant_id` and `route`: of all. Raises InvalidConfiguration, naming the
    field."""

    name: str
    aspect: Aspect
    target: float
    limit_ms: float | None = None
    aim: float | None = None
    window_days: float = WINDOW_DAYS
    tenant_id: str = ""
    route: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.target < 1:
            raise InvalidConfiguration(
                "a target is a share above 0 and below 1, such as 0.999", param="target"
            )
        if self.aim is not None and not 0 < self.aim <= 1:
            raise InvalidConfiguration("an aim is a share above 0, at most 1", param="aim")
        if (self.aspect in TIMED) != (self.limit_ms is not None):
            raise InvalidConfiguration(
                "limit_ms belongs to latency and overhead, which need it", param="limit_ms"
            )
        if self.limit_ms is not None and not 1 <= self.limit_ms <= DURATION_MS[-1]:
            raise InvalidConfiguration(f"limit_ms is 1 to {DURATION_MS[-1]}", param="limit_ms")
        if not 1 <= self.window_days <= WINDOW_DAYS_MAX:
            raise InvalidConfiguration(f"window_days is 1 to {WINDOW_DAYS_MAX}", param="window_days")

    @property
    def scope(self) -> str:
        """Which measures it is judged by."""
        return scope_of(self.tenant_id, self.route)

    @property
    def window_us(self) -> int:
        return round(self.window_days * DAY_US)

    def tally(self, measure: Measure) -> "Tally":
        """How many requests there were, and how many of them bad."""
        match self.aspect:
            case Aspect.AVAILABILITY:
                return Tally(measure.counted, measure.failed)
            case Aspect.ERROR_RATE:
                return Tally(measure.requests - measure.left_out, measure.errors)
            case Aspect.HIT_RATIO:
                return Tally(measure.lookups, measure.lookups - measure.hits)
            case Aspect.LATENCY:
                return _slow(measure.durations, DURATION_MS, self.limit_ms or 0)
            case Aspect.OVERHEAD:
                return _slow(measure.overheads, OVERHEAD_MS, self.limit_ms or 0)

    def reached_ms(self, measure: Measure) -> float | None:
        """What `target` of the requests stayed within; None: nothing was timed, or it is not about time."""
        if self.aspect is Aspect.LATENCY:
            return quantile_ms(measure.durations, DURATION_MS, self.target)
        if self.aspect is Aspect.OVERHEAD:
            return quantile_ms(measure.overheads, OVERHEAD_MS, self.target)
        return None


class Tally(NamedTuple):
    """Requests an objective is about, and those that were not good; parts of one where classes were split."""

    whole: float
    bad: float

    @property
    def good_share(self) -> float | None:
        """None: there was nothing to judge."""
        return None if self.whole <= 0 else 1 - self.bad / self.whole


def _slow(counts: tuple[int, ...], ends_ms: tuple[int, ...], limit_ms: float) -> Tally:
    whole = sum(counts)
    return Tally(whole, max(0.0, whole - within(counts, ends_ms, limit_ms)))


def burn_rate(objective: Objective, tally: Tally) -> float | None:
    """How many times faster than the objective allows; 1 uses the budget up just at the window's end. None:
    there was nothing to judge."""
    return None if tally.whole <= 0 else tally.bad / tally.whole / (1 - objective.target)


def budget_left(objective: Objective, tally: Tally) -> float | None:
    """Which share of the error budget is left, of requests so far; below 0: it is overdrawn. None: there was
    nothing to judge."""
    rate = burn_rate(objective, tally)
    return None if rate is None else 1 - rate


class BurnWindows(NamedTuple):
    """Both burn rates at or above `rate`: the long window says that it matters, the short one that it still
    goes on."""

    name: str
    long_us: int
    short_us: int
    rate: float
    page: bool
    """Whether somebody should be woken."""


BURN_WINDOWS: Final = (
    BurnWindows("1h", HOUR_US, 5 * MINUTE_US, 14.4, True),
    BurnWindows("6h", 6 * HOUR_US, 30 * MINUTE_US, 6.0, True),
    BurnWindows("3d", 3 * DAY_US, 6 * HOUR_US, 1.0, False),
)
"""Of a budget of 30 days they stand for 2 %, 5 % and 10 % used up (Workbook, table 5-8)."""


def can_burn(objective: Objective, windows: BurnWindows) -> bool:
    """Whether the rate can be reached at all: where half of the requests may be bad, twice is the most."""
    return windows.rate * (1 - objective.target) <= 1


DEFAULT_OBJECTIVES: Final = (
    Objective(name="availability", aspect=Aspect.AVAILABILITY, target=0.999),
    Objective(name="error-rate", aspect=Aspect.ERROR_RATE, target=0.99),
    Objective(name="cache-hit-ratio", aspect=Aspect.HIT_RATIO, target=0.5, aim=0.7),
    Objective(name="latency-p95", aspect=Aspect.LATENCY, target=0.95, limit_ms=5000),
    Objective(name="overhead-p50", aspect=Aspect.OVERHEAD, target=0.5, limit_ms=200),
)
"""Those there are where nothing else is said: 99.9 % available, less than 1 % errors, more than 50 % of
cacheable requests from a cache (better 70 %), 95 % within 5 s, half with less than 200 ms of our own."""
