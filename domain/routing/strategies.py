"""How eligible candidates are ranked. A strategy is a function in `STRATEGIES`; add one and it has a name.

A strategy yields target indices, best first, each exactly once, and lazily: the planner takes the first few
that are usable and stops. The same field (same draw, same moment) always gives the same order, which is what
makes a decision explainable after the fact. Ties keep the order in which the route declares its targets.

What is not known ranks last: a price, a quality, a distance.
"""

from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop
from itertools import islice

from domain.errors import InvalidRequirements
from domain.routing.draws import Draws
from domain.routing.filters import Eligible
from domain.routing.health import HealthState
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.routing.table import GLOBAL_REGION, UNKNOWN_COST, Members, RoutingTable, region_of


class Field:
    """Everything a strategy may look at. Costs are nano-dollars times a million, made when first needed."""

    __slots__ = ("_costs", "draw", "eligible", "indices", "live", "members", "now", "requirements", "table")

    def __init__(
        self,
        table: RoutingTable,
        members: Members,
        requirements: Requirements,
        live: LiveState,
        eligible: Eligible,
        *,
        now: float,
        draw: float,
    ) -> None:
        self.table = table
        self.members = members
        self.requirements = requirements
        self.live = live
        self.eligible = eligible
        self.indices = eligible.indices
        self.now = now
        self.draw = draw
        self._costs = eligible.costs

    def costs(self) -> list[int]:
        """The cost of each of `indices`, at the request's estimated sizes."""
        if self._costs is None:
            self._costs = self.table.costs(self.indices, *self.eligible.sizes)
        return self._costs


Strategy = Callable[[Field], Iterator[int]]
_Rank = float | int | tuple[float | int, ...]

BALANCED_WEIGHTS = {"priority": 0.30, "health": 0.30, "cost": 0.25, "latency": 0.15}
"""Shares of the balanced score. Each part is 0 for the best and 1 for the worst there can be:

priority: place between the route's best and worst priority; health: 4 x the provider's failure rate, at most
1, and at least the part of its state; cost and latency (first token): 1 - the best one's value / this one's.
"""

BALANCED_SHORTLIST = 64
"""How many of the cheapest of the best priority are scored at once, however large the catalogue is."""

_HEALTH_PART = {HealthState.HEALTHY: 0.0, HealthState.DEGRADED: 0.5}
_FAILURE_RATE_FACTOR = 4.0

_DISTANCE_MS: dict[frozenset[str], int] = {
    frozenset({"us-east", "us-west"}): 65,
    frozenset({"us-east", "eu-west"}): 75,
    frozenset({"us-east", "eu-central"}): 90,
    frozenset({"us-east", "apac"}): 200,
    frozenset({"us-west", "eu-west"}): 135,
    frozenset({"us-west", "eu-central"}): 150,
    frozenset({"us-west", "apac"}): 130,
    frozenset({"eu-west", "eu-central"}): 20,
    frozenset({"eu-west", "apac"}): 220,
    frozenset({"eu-central", "apac"}): 230,
}
"""Round trips between regions, rounded; only their order matters."""
_DISTANCE_GLOBAL_MS = 100
_DISTANCE_UNKNOWN_MS = 300


def strategy_named(name: str) -> Strategy:
    """The strategy of that name. Raises InvalidRequirements, listing those there are."""
    strategy = STRATEGIES.get(name)
    if strategy is None:
        raise InvalidRequirements(
            f"unknown strategy {name!r}; allowed: {', '.join(sorted(STRATEGIES))}", param="strategy"
        )
    return strategy


def distance_ms(here: str, there: str | None) -> int:
    """How far one region is from another. An answer from anywhere may be near; an unknown place may not."""
    if here == there:
        return 0
    if there is None:
        return _DISTANCE_UNKNOWN_MS
    if GLOBAL_REGION in (here, there):
        return _DISTANCE_GLOBAL_MS
    return _DISTANCE_MS.get(frozenset({here, there}), _DISTANCE_UNKNOWN_MS)


def by_cost(field: Field) -> Iterator[int]:
    """Cheapest first."""
    return _sorted(field.indices, field.costs())


def by_quality(field: Field) -> Iterator[int]:
    """Best first, the cheaper of equals."""
    qualities = field.table.qualities
    return _sorted(
        field.indices,
        [
            (1.0 if (quality := qualities[index]) is None else -quality, cost)
            for index, cost in zip(field.indices, field.costs(), strict=True)
        ],
    )


def by_cost_per_quality(field: Field) -> Iterator[int]:
    """Least money per point of quality first."""
    qualities = field.table.qualities
    return _sorted(
        field.indices,
        [
            cost / quality if (quality := qualities[index]) else float(UNKNOWN_COST)
            for index, cost in zip(field.indices, field.costs(), strict=True)
        ],
    )


def by_priority(field: Field) -> Iterator[int]:
    """In the order the operator gave: smaller priority first, then as declared."""
    if field.members.level:
        return iter(field.indices)
    return iter(sorted(field.indices, key=field.members.priority.__getitem__))


def by_weight(field: Field) -> Iterator[int]:
    """Weighted draws without replacement, the smallest priority's targets first.

    Weight 0 gets no traffic of its own; it stands behind the others of its priority.
    """
    draws = Draws(field.draw)
    for level in _levels(field):
        yield from _draw_evenly(level, draws) if field.members.even else _draw_weighted(field, level, draws)


def by_latency(field: Field) -> Iterator[int]:
    """The less loaded of two drawn targets, again and again, the smallest priority's targets first.

    Load is the peak EWMA of the time to the first token times the calls in flight. Two choices avoid both
    the slow ones and the stampede onto the one that looked best a moment ago.
    """
    draws = Draws(field.draw)
    targets, now = field.live.targets, field.now
    for level in _levels(field):
        pool = list(level)
        while len(pool) > 1:
            first = draws.below(len(pool))
            second = draws.below(len(pool) - 1)
            second += second >= first
            one, other = targets[pool[first]], targets[pool[second]]
            chosen = second if other.expected_load(now) < one.expected_load(now) else first
            yield pool[chosen]
            pool[chosen] = pool[-1]
            pool.pop()
        yield from pool


def by_distance(field: Field) -> Iterator[int]:
    """Nearest to the demanded region or, without one, to this installation's; then cheapest.

    Where neither is known (or "global" is demanded and no home is set), distance says nothing: cheapest.
    """
    demanded = field.requirements.residency
    here = field.table.home_region if demanded in (None, GLOBAL_REGION) else demanded
    if here is None:
        return by_cost(field)
    targets = field.table.targets
    far: dict[str | None, int] = {}
    ranks: list[_Rank] = []
    for index, cost in zip(field.indices, field.costs(), strict=True):
        there = region_of(targets[index])
        if there not in far:
            far[there] = distance_ms(here, there)
        ranks.append((far[there], cost))
    return _sorted(field.indices, ranks)


def by_balance(field: Field) -> Iterator[int]:
    """Lowest sum of priority, health, cost and latency, weighted as in BALANCED_WEIGHTS.

    Scored in shortlists of BALANCED_SHORTLIST, taken by priority and cost.
    """
    if len(field.indices) == 1:
        yield field.indices[0]
        return
    priority = field.members.priority
    low = high = 0
    if field.members.level:
        ranks: Sequence[_Rank] = field.costs()
    else:
        ranks = [(priority[index], cost) for index, cost in zip(field.indices, field.costs(), strict=True)]
        low, high = min(priority.values()), max(priority.values())
    if len(field.indices) <= BALANCED_SHORTLIST:
        yield from _balanced(field, range(len(field.indices)), low, high)
        return
    places = _sorted(range(len(field.indices)), ranks)
    while shortlist := list(islice(places, BALANCED_SHORTLIST)):
        yield from _balanced(field, shortlist, low, high)


STRATEGIES: dict[str, Strategy] = {
    "balanced": by_balance,
    "cost": by_cost,
    "cost_per_quality": by_cost_per_quality,
    "geographic": by_distance,
    "latency": by_latency,
    "priority": by_priority,
    "quality": by_quality,
    "weighted": by_weight,
}


def _sorted(indices: Sequence[int], ranks: Sequence[_Rank]) -> Iterator[int]:
    """Indices by rank, equal ranks in their given order; the sorting is paid for as far as it is read."""
    heap = [(rank, place) for place, rank in enumerate(ranks)]
    heapify(heap)
    while heap:
        yield indices[heappop(heap)[1]]


def _levels(field: Field) -> Iterator[Sequence[int]]:
    """The candidates of each priority, smallest first, in declared order."""
    if field.members.level:
        yield field.indices
        return
    levels: dict[int, list[int]] = {}
    for index in field.indices:
        levels.setdefault(field.members.priority[index], []).append(index)
    for priority in sorted(levels):
        yield levels[priority]


def _draw_evenly(level: Sequence[int], draws: Draws) -> Iterator[int]:
    pool = list(level)
    while pool:
        chosen = draws.below(len(pool))
        yield pool[chosen]
        pool[chosen] = pool[-1]
        pool.pop()


def _draw_weighted(field: Field, level: Sequence[int], draws: Draws) -> Iterator[int]:
    weight = field.members.weight
    pool = [index for index in level if weight[index] > 0]
    weights = [weight[index] for index in pool]
    while pool:
        point = draws.next() * sum(weights)
        chosen = len(pool) - 1
        for place, share in enumerate(weights):
            point -= share
            if point < 0:
                chosen = place
                break
        yield pool.pop(chosen)
        weights.pop(chosen)
    yield from (index for index in level if weight[index] <= 0)


def _balanced(field: Field, places: Sequence[int], low: int, high: int) -> Iterator[int]:
    """The candidates at these places of the field, by score."""
    now, costs, priority = field.now, field.costs(), field.members.priority
    targets = field.live.targets
    waits_s = [targets[field.indices[place]].ttft.value_s(now) for place in places]
    least_cost = min(costs[place] for place in places)
    least_wait_s = min(waits_s)
    spread = high - low
    of_provider: dict[int, float] = {}
    ranks: list[_Rank] = []
    for place, wait_s in zip(places, waits_s, strict=True):
        index, cost = field.indices[place], costs[place]
        provider = targets[index].provider
        health = of_provider.get(id(provider))
        if health is None:
            seen = provider.health
            health = of_provider[id(provider)] = health_part(seen.state(now), seen.success_rate(now))
        score = BALANCED_WEIGHTS["health"] * health
        if spread:
            score += BALANCED_WEIGHTS["priority"] * (priority[index] - low) / spread
        if cost > least_cost:
            score += BALANCED_WEIGHTS["cost"] * (1 - least_cost / cost if cost < UNKNOWN_COST else 1)
        if wait_s > least_wait_s:
            score += BALANCED_WEIGHTS["latency"] * (1 - least_wait_s / wait_s)
        # Rounded, so that noise in the last digits does not decide between equals.
        ranks.append((round(score, 6), place))
    return _sorted([field.indices[place] for place in places], ranks)


def health_part(state: HealthState, success_rate: float | None) -> float:
    """A provider's health in a balanced score: 0 is spotless, 1 the worst."""
    failing = 0.0 if success_rate is None else min(1.0, (1 - success_rate) * _FAILURE_RATE_FACTOR)
    return max(_HEALTH_PART.get(state, 1.0), failing)
