"""How likely a plan's first choice was when it was drawn: what makes decisions comparable later.

A strategy that draws lots chooses each target with a chance that follows from its rule, from who could be
used at that moment, and from where the conversation was. Recorded with the request, the chance tells what
other shares would have brought (`domain.backtest`); nobody can tell it afterwards.

Strategies that draw nothing choose with certainty, given what they saw.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

from domain.routing.affinity import LEAVES_FOR
from domain.routing.field import Field
from domain.routing.ranking import Ranking, Reachable, why_not_now
from domain.routing.strategies import levels
from domain.routing.target import Target

DRAWING: Final = frozenset({"weighted", "latency"})
"""Strategies that draw lots."""
AMONG_MAX: Final = 32
"""Targets of one priority that are looked at; the chance of a choice among more is not told."""
PASSED_OVER_MAX: Final = 4
"""Of them, those that a pairwise draw may have met and passed over because they could not be used."""


def first_choices(ranking: Ranking, reachable: Reachable | None = None) -> Mapping[int, float] | None:
    """The chance of each target to be the first choice; empty: none can be used. None: there are too many.

    Of a strategy that draws nothing, its first choice with certainty. The chances are those of `make_plan`
    over its draw, everything else being the same.
    """
    field = ranking.field

    def usable(index: int) -> bool:
        return why_not_now(field, index, reachable) is None

    if ranking.strategy_name not in DRAWING:
        first = next((index for index in ranking.order(reachable) if usable(index)), None)
        return {} if first is None else {first: 1.0}
    drawn = _drawn(field, ranking.strategy_name, usable)
    stays = None if field.affinity is None else field.affinity.worth_staying(usable)
    if not drawn or stays is None or field.affinity is None:
        return drawn
    leaves = LEAVES_FOR[ranking.strategy_name]
    settled: dict[int, float] = {}
    for index, chance in drawn.items():
        goes = index if index == stays or leaves(field, field.affinity, stays, index) else stays
        settled[goes] = settled.get(goes, 0.0) + chance
    return settled


def propensity(ranking: Ranking, taken: Sequence[Target], reachable: Reachable | None) -> float | None:
    """The chance that the first of these usable targets was the first choice; None: there were too many to
    tell. `taken` is what a plan took from the ranking, at least one.

    As `first_choices` says of it, without reckoning the others: this runs for each request.
    """
    field, _, strategy = ranking
    if strategy not in DRAWING:
        return 1.0
    members, count, chosen = field.members, field.eligible.count, taken[0].index
    if field.affinity is not None and field.affinity.weighs:
        chances = first_choices(ranking, reachable)
        return None if chances is None else chances.get(chosen)
    everybody = count == len(taken)
    if everybody and strategy == "weighted" and members.level and count <= AMONG_MAX:
        # Nearly all requests: nothing is left out, so the sum is the route's own.
        if members.even:
            return 1.0 / count
        if count == len(members.indices) and members.weight_sum > 0:
            return members.weight[chosen] / members.weight_sum or None
    if count == 1:
        return 1.0
    level: Sequence[int] = field.indices
    if not members.level or count > AMONG_MAX:
        for level in levels(field):
            if len(level) > AMONG_MAX:
                return None
            if chosen in level:
                break
    able = level if everybody else _able(field, level, taken, reachable)
    if strategy == "weighted":
        return _share(field, able, chosen)
    if len(able) == len(level):
        targets, now = field.live.targets, field.now
        return _wins([targets[index].expected_load(now) for index in level], level.index(chosen))
    chances = _by_pairs(field, level, frozenset(able))
    return None if chances is None else chances.get(chosen)


def _able(
    field: Field, level: Sequence[int], taken: Sequence[Target], reachable: Reachable | None
) -> Sequence[int]:
    """Those of a level that can be used; of those taken it is known."""
    known = {target.index for target in taken}
    return [index for index in level if index in known or why_not_now(field, index, reachable) is None]


def _share(field: Field, able: Sequence[int], chosen: int) -> float | None:
    """What `_by_weight` says of one."""
    if field.members.even:
        return 1.0 / len(able)
    weight = field.members.weight
    total = sum([weight[index] for index in able])
    if total > 0:
        return weight[chosen] / total or None
    return 1.0 if chosen == able[0] else None


def _wins(loads: Sequence[float], place: int) -> float:
    """The chance to be the less loaded of two drawn; of equals the one that was drawn first."""
    count, mine = len(loads), loads[place]
    if count == 1:
        return 1.0
    heavier = sum([load > mine for load in loads])
    return (2 * heavier + loads.count(mine) - 1) / (count * (count - 1))


def _drawn(field: Field, strategy: str, usable: Callable[[int], bool]) -> dict[int, float] | None:
    """Without the conversation: the first priority that has anybody decides."""
    for level in levels(field):
        if len(level) > AMONG_MAX:
            return None
        able = [index for index in level if usable(index)]
        if not able:
            continue
        if strategy == "weighted":
            return _by_weight(field, able)
        return _by_pairs(field, level, frozenset(able))
    return {}


def _by_weight(field: Field, able: Sequence[int]) -> dict[int, float]:
    """Drawn without replacement, the first that can be used has its share of those that can."""
    weight = field.members.weight
    total = sum(weight[index] for index in able)
    if field.members.even:
        return dict.fromkeys(able, 1.0 / len(able))
    if total <= 0:
        return {able[0]: 1.0}
    return {index: weight[index] / total for index in able if weight[index] > 0}


def _by_pairs(field: Field, level: Sequence[int], able: frozenset[int]) -> dict[int, float] | None:
    """The less loaded of two, again and again until one can be used."""
    if len(level) - len(able) > PASSED_OVER_MAX:
        return None
    targets, now = field.live.targets, field.now
    loads = {index: targets[index].expected_load(now) for index in level}

    @cache
    def first_among(pool: frozenset[int]) -> Mapping[int, float]:
        chances: dict[int, float] = {}
        members = list(pool)
        weighed = [loads[index] for index in members]
        for place, index in enumerate(members):
            chance = _wins(weighed, place)
            if index in able:
                chances[index] = chances.get(index, 0.0) + chance
            elif chance:
                for later, then in first_among(pool - {index}).items():
                    chances[later] = chances.get(later, 0.0) + chance * then
        return chances

    return {index: chance for index, chance in first_among(frozenset(level)).items() if chance > 0}
