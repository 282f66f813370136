"""What recommendations are made of: one tenant's use over some days, and what there is to choose from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.analytics.baseline import Group, RatioOf
from domain.analytics.event import RequestEvent
from domain.analytics.rollup import DAY_US
from domain.analytics.token_ratios import UNCERTAINTY_DEFAULT, assumed
from domain.routing.target import Route, Target

OBSERVED_DAYS: Final = 30
REQUESTS_MIN: Final = 20
"""Fewer say nothing."""
WORTH_NANO_USD: Final = 10_000_000
"""A cent a month: what saves less is not worth reading."""


class QualityFact(NamedTuple):
    """What was learned of a model's answers: the mean of scores 0 to 1 with an interval, and how many."""

    low: float
    mean: float
    high: float
    answers: int


QualityOf = Callable[[str, str, str], QualityFact | None]
"""(route, provider, model); None: nothing was learned."""
QualityAt = Callable[[str, str, str], QualityFact | None]
"""(task, provider, model); None: too little was said of the model's answers to this task."""


class DaySpend(NamedTuple):
    """What one provider was paid on one UTC day, by the day's start."""

    day: str
    provider: str
    cost_nano_usd: int


class HourUse(NamedTuple):
    """What one model answered in one UTC hour."""

    provider: str
    model: str
    cost_nano_usd: int
    tokens: int
    """In and out."""


class SpenderFact(NamedTuple):
    """One key or agent (`kind`), over so many days."""

    kind: str
    name: str
    requests: int
    cost_nano_usd: int
    days: int


class BudgetPeriod(NamedTuple):
    """What one subject of a budget used of its limit in one calendar period. `unit` is `hour` to `year`,
    `last_us` when its last charge came; times are UTC epoch microseconds."""

    budget_id: str
    name: str
    subject: str
    unit: str
    limit_nano_usd: int
    hard: bool
    used_nano_usd: int
    start_us: int
    end_us: int
    last_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the operator declared (`analytics` of the configuration)."""

    token_uncertainty: float = UNCERTAINTY_DEFAULT
    quality_drop_max: float = 0.05
    """How much worse a model may be, of 0 to 1, and still be advised."""
    commitment_discount: float = 0.2
    """What a provider would give for a commitment, of 0 to 1; an assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Times are UTC epoch microseconds; `from_us` is not before the first day with any use. `groups` are sums
    by route, operation, provider, model and cache.

    `sample` is of single requests with their attempts, spread over the time, at most some thousand.
    `targets` are those this tenant may use; `routes` those it may ask for by a name somebody declared.
    """

    tenant_id: str
    from_us: int
    to_us: int
    groups: Sequence[Group] = ()
    group_days: Mapping[tuple[str, str, str], Sequence[int]] = field(default_factory=dict)
    """Cost of each day with use, by (route, provider, model)."""
    provider_days: Sequence[DaySpend] = ()
    hours: Sequence[HourUse] = ()
    """One for each model and hour with use; empty also where there were too many to look at."""
    spenders: Sequence[SpenderFact] = ()
    budget_periods: Sequence[BudgetPeriod] = ()
    task_groups: Mapping[str, Sequence[Group]] = field(default_factory=dict)
    """The same sums by the kind of task; what was summed up before tasks were told is in none."""
    sample: Sequence[RequestEvent] = ()
    sample_complete: bool = True
    """Whether the sample is every request."""
    targets: Sequence[Target] = ()
    routes: Mapping[str, Route] = field(default_factory=dict)
    routes_used: frozenset[str] | None = None
    """By any tenant; None: this tenant does not run the installation."""
    integrations: Mapping[str, int] = field(default_factory=dict)
    """Requests by integration that is not a provider of models; 0: unused."""
    ratio_of: RatioOf = lambda _route, _this, _other: assumed(UNCERTAINTY_DEFAULT)
    quality_of: QualityOf = lambda _route, _provider, _model: None
    quality_at: QualityAt = lambda _task, _provider, _model: None
    wishes: Wishes = Wishes()

    @property
    def days(self) -> float:
        """How long was looked at, in days; at least one: what happened within hours is taken for a day's."""
        return max(1.0, (self.to_us - self.from_us) / DAY_US)

    def target(self, provider: str, model: str) -> Target | None:
        """What rows name so; None: it is no longer there."""
        return next((one for one in self.targets if (one.provider, one.model) == (provider, model)), None)
