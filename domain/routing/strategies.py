"""How eligible candidates are ranked. A strategy is a function in `STRATEGIES`; add one and it has a name.

A strategy yields target indices, best first, each exactly once, and lazily: the planner takes the first few
that are usable and stops. The same field (same draw, same moment) always gives the same order, which is what
makes a decision explainable after the fact. Ties keep the order in which the route declares its targets.

What is not known ranks last: a price, a quality, a distance.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, groupby, islice

from domain.errors import InvalidRequirements
from domain.residency.place import GLOBAL_REGION
from domain.routing.affinity import effective_costs
from domain.routing.cheapest import cheapest_first, sorted_lazily
from domain.routing.draws import Draws
from domain.routing.field import Field
from domain.routing.health import HealthState, HealthWindow
from domain.routing.masks import mask_of
from domain.routing.table import UNKNOWN_COST

Strategy = Callable[[Field], Iterator[int]]

BALANCED_WEIGHTS = {"priority": 0.30, "health": 0.30, "cost": 0.25, "latency": 0.15}
"""Shares of the balanced score. Each part is 0 for the best and 1 for the worst there can be:

priority: place between the route's best and worst priority; health: 4 x the provider's failure rate, at most
1, and at least the part of its state; cost and latency (first token): 1 - the best one's value / this one's.
"""

BALANCED_SHORTLIST = 32
"""How many of the cheapest of the best priority are scored at once, however large the catalogue is."""

_PRIORITY_WEIGHT, _HEALTH_WEIGHT = BALANCED_WEIGHTS["priority"], BALANCED_WEIGHTS["health"]
_COST_WEIGHT, _LATENCY_WEIGHT = BALANCED_WEIGHTS["cost"], BALANCED_WEIGHTS["latency"]

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
    return cheapest_first(field.table, field.eligible)


def by_quality(field: Field) -> Iterator[int]:
    """Best first, the cheaper of equals."""
    qualities, flags = field.table.qualities, field.eligible.flags
    best_first = (index for index in field.table.by_quality if flags[index])
    for _, equals in groupby(best_first, key=qualities.__getitem__):
        group = list(equals)
        if len(group) == 1:
            yield group[0]
        else:
            yield from cheapest_first(field.table, field.eligible.within(mask_of(group)))


def by_cost_per_quality(field: Field) -> Iterator[int]:
    """Least money per point of quality first."""
    return cheapest_first(field.table, field.eligible, per_quality=True)


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
    for level in levels(field):
        yield from _draw_evenly(level, draws) if field.members.even else _draw_weighted(field, level, draws)


def by_latency(field: Field) -> Iterator[int]:
    """The less loaded of two drawn targets, again and again, the smallest priority's targets first.

    Load is the peak EWMA of the time to the first token times the calls in flight. Two choices avoid both
    the slow ones and the stampede onto the one that looked best a moment ago.
    """
    draws = Draws(field.draw)
    targets, now = field.live.targets, field.now
    for level in levels(field):
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
        yield from by_cost(field)
        return
    located = field.table.located
    far = {region: distance_ms(here, region) for region in located}
    for distance in sorted(set(far.values())):
        ring = 0
        for region in located:
            ring |= located[region] if far[region] == distance else 0
        yield from cheapest_first(field.table, field.eligible.within(ring))


def by_balance(field: Field) -> Iterator[int]:
    """Lowest sum of priority, health, cost and latency, weighted as in BALANCED_WEIGHTS.

    Scored in shortlists of BALANCED_SHORTLIST, taken by priority and cost.
    """
    if field.eligible.count <= BALANCED_SHORTLIST:
        yield from _balanced(field, field.indices)
        return
    if field.members.level:
        cheapest = cheapest_first(field.table, field.eligible)
    else:
        priority = field.members.priority
        ranks = [(priority[x], cost) for x, cost in zip(field.indices, field.eligible.costs, strict=True)]
        cheapest = sorted_lazily(field.indices, ranks)
    if field.affinity is not None or field.free:
        # What costs less than its list price may stand far down, and must be weighed with the best.
        special = dict.fromkeys((*(field.affinity.warm if field.affinity else ()), *field.free))
        cheapest = chain(special, (index for index in cheapest if index not in special))
    while shortlist := list(islice(cheapest, BALANCED_SHORTLIST)):
        yield from _balanced(field, shortlist)


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


def levels(field: Field) -> Iterator[Sequence[int]]:
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


def _balanced(field: Field, shortlist: Sequence[int]) -> Iterator[int]:
    """These candidates by score."""
    if len(shortlist) == 1:
        return iter(shortlist)
    now, priority, targets = field.now, field.members.priority, field.live.targets
    affinity = field.affinity
    if affinity is not None and not affinity.weighs:
        affinity = None
    if affinity is None and not field.free:
        costs = field.table.costs(shortlist, *field.eligible.sizes)
    else:
        costs = effective_costs(field, affinity, shortlist)
    stays = None if affinity is None else affinity.worth_staying(lambda x: targets[x].usable(now))
    waits_s = [targets[index].ttft.value_s(now) for index in shortlist]
    least_cost, least_wait_s = min(costs), min(waits_s)
    low = high = 0
    if not field.members.level:
        low, high = min(priority.values()), max(priority.values())
    of_provider: dict[int, float] = {}
    scores: list[float] = []
    for index, cost, wait_s in zip(shortlist, costs, waits_s, strict=True):
        provider = targets[index].provider
        score = of_provider.get(id(provider), -1.0)
        if score < 0:
            score = of_provider[id(provider)] = _HEALTH_WEIGHT * health_part(provider.health, now)
        if high > low:
            score += _PRIORITY_WEIGHT * (priority[index] - low) / (high - low)
        if cost > least_cost:
            score += _COST_WEIGHT * (1 - least_cost / cost if cost < UNKNOWN_COST else 1)
        if wait_s > least_wait_s:
            score += _LATENCY_WEIGHT * (1 - least_wait_s / wait_s)
        if index == stays and affinity is not None:
            score -= affinity.policy.min_gain
        # Rounded, so that noise in the last digits does not decide between equals.
        scores.append(round(score, 6))
    return iter([shortlist[place] for place in sorted(range(len(scores)), key=scores.__getitem__)])


def health_part(health: HealthWindow, now: float) -> float:
    """A provider's health in a balanced score: 0 is spotless, 1 the worst."""
    if health.spotless(now):
        return 0.0
    rate = health.success_rate(now)
    failing = 0.0 if rate is None else min(1.0, (1 - rate) * _FAILURE_RATE_FACTOR)
    return max(_HEALTH_PART.get(health.state(now), 1.0), failing)
