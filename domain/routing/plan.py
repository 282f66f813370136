"""The plan of one request: which targets to try, in which order, under the route's policy.

Hard demands are never relaxed. Targets that cannot be used now (breaker open, cooling down, provider out) are
left out rather than kept for last: trying them is what the breaker exists to prevent.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from domain.errors import InterchangeError
from domain.routing.affinity import verdict
from domain.routing.conversation import Verdict
from domain.routing.filters import DropReason
from domain.routing.live import LiveState
from domain.routing.propensity import propensity
from domain.routing.ranking import Ranking, Reachable, Recall, rank, why_not_now
from domain.routing.refusals import refusal_by_state, sentence_now
from domain.routing.requirements import Requirements
from domain.routing.table import Members, RoutingTable
from domain.routing.target import Route, Target

SPARES_MAX = 3
_SPARES_LOOKED_AT_MAX = 16
"""How far down the ranking a larger window is looked for before the largest ones are taken."""


class Plan(NamedTuple):
    """What to try, in order.

    `targets` are the first choice and its fallbacks, at most 1 + `route.max_fallbacks`. `spares` are further
    ones, with a larger known context window than the first choice, for a prompt that turns out too long.
    `candidates` counts the targets that satisfy every hard demand, usable now or not.
    """

    route: Route
    targets: tuple[Target, ...]
    spares: tuple[Target, ...]
    strategy: str
    candidates: int
    verdict: Verdict | None = None
    """What became of the conversation this request continues; None: affinity had no say."""
    left_out: tuple[tuple[DropReason, int], ...] = ()
    """Why other targets of the route were left out, and how many; of those that cannot be used now, as far
    down the ranking as anybody looked."""
    propensity: float | None = 1.0
    """The chance that the first choice was drawn, 1: nothing was; None: too many targets to tell."""


NO_PLAN: Final = Plan(Route(name="", targets=()), (), (), "", 0)
"""Stands in for a plan until there is one, so that a refused request can be recorded too."""


def make_plan(
    table: RoutingTable,
    route: Route,
    requirements: Requirements,
    live: LiveState,
    *,
    now: float,
    draw: float,
    reachable: Reachable | None = None,
    recall: Recall | None = None,
) -> Plan:
    """The plan for one request at this moment; equal inputs give an equal plan.

    `recall` finds the conversation that the request continues; it is asked only when there is a choice.

    `reachable` says whether any way leads to a target now; it is asked only about likely choices.

    Raises:
        InvalidRequirements: malformed, or nothing in the route could ever satisfy them.
        ResidencyViolation: only where or under which rules the candidates work stands in the way.
        Forbidden: only the key's allow-list does.
        NoProviderAvailable: candidates exist, none usable now; `retry_after_s` is the earliest return.
    """
    members = table.members(route)
    if len(members.indices) == 1 and requirements.modest:
        sole = _sole_target(table, members, requirements, live, now, reachable)
        if sole is not None:
            return Plan(route, (route.stand_ins.get(sole.index, sole),), (), route.strategy, 1)
    if route.quality.learned and table.learned is not None:
        table = table.learned
    ranking = rank(table, route, requirements, live, now=now, draw=draw, recall=recall)
    if isinstance(ranking, InterchangeError):
        raise ranking
    usable = ranking.usable(reachable)
    targets = tuple(islice(usable, 1 + max(0, route.max_fallbacks)))
    if not targets:
        raise refusal_now(ranking, reachable)
    said = verdict_on(ranking, targets[0], reachable)
    chance = propensity(ranking, targets, reachable)
    spares = _spares(ranking, targets, usable, reachable)
    if route.stand_ins:
        targets = tuple(route.stand_ins.get(target.index, target) for target in targets)
        spares = tuple(route.stand_ins.get(target.index, target) for target in spares)
    return Plan(
        route=route,
        targets=targets,
        spares=spares,
        strategy=ranking.strategy_name,
        candidates=ranking.field.eligible.count,
        verdict=said,
        left_out=tuple(ranking.field.left_out.items()),
        propensity=chance,
    )


def verdict_on(ranking: Ranking, first: Target, reachable: Reachable | None) -> Verdict | None:
    """What the first choice means to the conversation; None when affinity had no say."""
    field = ranking.field
    if field.affinity is None:
        return None

    def why_not(index: int) -> str | None:
        reason = why_not_now(field, index, reachable)
        return None if reason is None else sentence_now(reason)

    return verdict(field, field.affinity, first, why_not)


def _sole_target(
    table: RoutingTable,
    members: Members,
    requirements: Requirements,
    live: LiveState,
    now: float,
    reachable: Reachable | None,
) -> Target | None:
    """The only target of a route when it serves as it is: nothing needs ranking then. None: look closer."""
    index = members.indices[0]
    target = table.targets[index]
    if target.tenant_id and target.tenant_id != requirements.tenant_id:
        return None
    window = target.offering.context_tokens
    if window is not None and window < requirements.window_needed_tokens:
        return None
    if requirements.capabilities and not table.capable(requirements.capabilities) >> index & 1:
        return None
    if not live.targets[index].usable(now) or (reachable is not None and not reachable(target)):
        return None
    return target


def refusal_now(ranking: Ranking, reachable: Reachable | None) -> InterchangeError:
    """The error when no candidate of a ranking can be used at this moment."""
    field = ranking.field
    reasons: dict[int, DropReason] = {}
    for index in field.indices:
        reason = why_not_now(field, index, reachable)
        if reason is not None:
            reasons[index] = reason
    return refusal_by_state(reasons, field.live, route_name=field.members.route.name, now=field.now)


def _spares(
    ranking: Ranking,
    targets: tuple[Target, ...],
    further: Iterator[Target],
    reachable: Reachable | None,
) -> tuple[Target, ...]:
    first_context = targets[0].offering.context_tokens
    if first_context is None:
        return ()
    field = ranking.field
    larger = field.table.context.above(first_context) & field.members.mask
    for target in targets:
        larger &= ~(1 << target.index)
    if not larger:
        return ()
    looked_at = islice(further, _SPARES_LOOKED_AT_MAX)
    spares = [target for target in looked_at if larger >> target.index & 1][:SPARES_MAX]
    if spares or field.eligible.count <= len(targets) + _SPARES_LOOKED_AT_MAX:
        return tuple(spares)
    among = field.eligible.flags
    largest = (index for index in field.table.by_context if among[index] and larger >> index & 1)
    looked_at_indices = islice(largest, _SPARES_LOOKED_AT_MAX)
    fitting = (index for index in looked_at_indices if why_not_now(field, index, reachable) is None)
    return tuple(field.table.targets[index] for index in islice(fitting, SPARES_MAX))
