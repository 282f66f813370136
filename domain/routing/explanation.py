"""Why a decision would come out as it does, candidate by candidate, without sending anything (SPEC L6).

It is made from the same ranking as the plan: for the same inputs, the kept candidates in rank order begin
with exactly the plan's targets.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from domain.errors import InterchangeError
from domain.llm.usage import BYTES_PER_TOKEN_TYPICAL
from domain.money import NanoUsd, ceil_to_nano
from domain.resilience.breaker import BreakerState
from domain.routing.affinity import effective_costs
from domain.routing.conversation import COLD, Verdict
from domain.routing.field import Field
from domain.routing.filters import DropReason, drop_reasons, sizes_of
from domain.routing.health import HealthState
from domain.routing.live import LiveState
from domain.routing.plan import refusal_now, verdict_on
from domain.routing.price_bound import worst_cost
from domain.routing.ranking import Ranking, Reachable, Recall, quick_enough, rank, why_not_now
from domain.routing.refusals import demand_sentence
from domain.routing.requirements import Requirements
from domain.routing.table import UNKNOWN_COST, RoutingTable, region_of
from domain.routing.target import Route, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateExplanation:
    """One target of the route as the decision sees it. None is unknown.

    `rank` counts from 0 among the kept. `estimated_cost_nano_usd` is at the estimated sizes,
    `worst_cost_nano_usd` the true bound. `predicted_p95_ms` is of the whole answer, `first_token_ms` the
    peak estimate that latency strategies rank by (None before the first observation).
    """

    target_id: str
    provider: str
    model: str
    region: str | None
    kept: bool
    reason: DropReason | None
    sentence: str
    rank: int | None
    estimated_cost_nano_usd: NanoUsd | None
    worst_cost_nano_usd: NanoUsd | None
    predicted_p95_ms: float | None
    first_token_ms: float | None
    in_flight: int
    health: HealthState
    breaker: BreakerState
    warm_probability: float | None = None
    """The chance that this conversation's beginning is in its prompt cache; None: nothing to judge by."""
    prefix_tokens: int | None = None
    """How many tokens of the request may be warm there."""
    effective_cost_nano_usd: NanoUsd | None = None
    """The estimate with discounts, reserved capacity and the warm prefix taken into account."""
    bounded_by: str | None = None
    """What the bound on its cost rests on, or why there is none."""
    max_tokens_set: int | None = None
    """The limit on the answer that the route puts in; None: the request's own, or the model's."""


class CostLimit(NamedTuple):
    """What is known of the most that a request can cost at one candidate."""

    nano_usd: NanoUsd | None
    made_by: str
    max_tokens_set: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The decision on one request. `refusal` is the error a real request would get; None: it would be sent.

    `candidates` are the kept ones by rank, then the dropped ones as the route declares them; when a limit was
    asked for, the first of these. `kept` and `dropped` count all. `attempts_max` is how many of the kept a
    request would try at most. The sizes are those at which prices are compared.
    """

    route: str
    strategy: str
    candidates: tuple[CandidateExplanation, ...]
    kept: int
    dropped: dict[DropReason, int]
    attempts_max: int
    input_tokens: int
    output_tokens: int
    refusal: InterchangeError | None
    verdict: Verdict | None = None
    """What would become of the conversation; None: affinity has no say."""


def explain(
    table: RoutingTable,
    route: Route,
    requirements: Requirements,
    live: LiveState,
    *,
    now: float,
    draw: float,
    reachable: Reachable | None = None,
    input_bytes: int | None = None,
    max_output_tokens: int | None = None,
    limit: int | None = None,
    variant: str = "",
    recall: Recall | None = None,
    limit_of: Callable[[Target], CostLimit] | None = None,
) -> Explanation:
    """What `make_plan` would do with the same arguments, and why.

    `input_bytes` and `max_output_tokens` are of the final body, for the price bound; without `input_bytes`
    the estimated tokens are taken at a typical length. `limit` bounds how many candidates are described:
    describing one takes some 10 us, which a route over a whole catalogue multiplies. `variant` is the tier
    of service that was asked for, which the bound covers too. `limit_of` tells the bound of the very request,
    where that is known; it comes before what the sizes alone say.

    Raises:
        InvalidRequirements: unknown region or strategy. Any other refusal is part of the explanation.
    """
    if route.quality.learned and table.learned is not None:
        table = table.learned
    ranking = rank(table, route, requirements, live, now=now, draw=draw, recall=recall)
    members = table.members(route)
    reasons = drop_reasons(table, members, requirements, quick_enough(members, requirements, live, now))
    # What another tenant has alone does not exist for this one.
    reasons = {index: reason for index, reason in reasons.items() if reason is not DropReason.ANOTHERS}
    kept, refusal, said = _walked(ranking, reachable, reasons)
    sizes = sizes_of(requirements)
    if input_bytes is None:
        input_bytes = sizes.input_tokens * BYTES_PER_TOKEN_TYPICAL
    ordered = (kept + [index for index in members.indices if index in reasons])[:limit]
    costs = table.costs(ordered, *sizes)
    field = ranking.field if isinstance(ranking, Ranking) else None
    return Explanation(
        route=route.name,
        strategy=requirements.strategy or route.strategy,
        candidates=tuple(
            _candidate(
                table.targets[index],
                live,
                now,
                place=place if place < len(kept) else None,
                reason=reasons.get(index),
                sentence=_sentence(reasons.get(index), place, requirements, table.targets[index]),
                cost=None if cost >= UNKNOWN_COST else ceil_to_nano(cost),
                most=limit_of(table.targets[index])
                if limit_of is not None
                else _by_sizes(table.targets[index], input_bytes, max_output_tokens, variant),
                field=field,
            )
            for place, (index, cost) in enumerate(zip(ordered, costs, strict=True))
        ),
        kept=len(kept),
        dropped=dict(Counter(reasons.values())),
        attempts_max=min(len(kept), 1 + max(0, route.max_fallbacks)),
        input_tokens=sizes.input_tokens,
        output_tokens=sizes.output_tokens,
        refusal=refusal,
        verdict=said,
    )


def _by_sizes(target: Target, input_bytes: int, max_output_tokens: int | None, variant: str) -> CostLimit:
    offering = target.offering
    most = offering.max_output_tokens
    return CostLimit(
        worst_cost(offering.prices, input_bytes, max_output_tokens, most, variant=variant), "bytes", None
    )


def _walked(
    ranking: Ranking | InterchangeError, reachable: Reachable | None, reasons: dict[int, DropReason]
) -> tuple[list[int], InterchangeError | None, Verdict | None]:
    """The usable candidates by rank, the refusal when there is none, and what the conversation would do.

    Adds to `reasons` why the others cannot be used now.
    """
    if not isinstance(ranking, Ranking):
        return [], ranking, None
    kept: list[int] = []
    for index in ranking.order(reachable):
        reason = why_not_now(ranking.field, index, reachable)
        if reason is None:
            kept.append(index)
        else:
            reasons[index] = reason
    if not kept:
        return kept, refusal_now(ranking, reachable), None
    return kept, None, verdict_on(ranking, ranking.field.table.targets[kept[0]], reachable)


def _candidate(
    target: Target,
    live: LiveState,
    now: float,
    *,
    place: int | None,
    reason: DropReason | None,
    sentence: str,
    cost: NanoUsd | None,
    most: CostLimit,
    field: Field | None,
) -> CandidateExplanation:
    state = live.targets[target.index]
    affinity = None if field is None else field.affinity
    warm = COLD if affinity is None else affinity.warm.get(target.index, COLD)
    real = UNKNOWN_COST if field is None else effective_costs(field, affinity, (target.index,))[0]
    return CandidateExplanation(
        target_id=target.id,
        provider=target.provider,
        model=target.model,
        region=region_of(target),
        kept=place is not None,
        reason=reason,
        sentence=sentence,
        rank=place,
        estimated_cost_nano_usd=cost,
        worst_cost_nano_usd=most.nano_usd,
        bounded_by=most.made_by,
        max_tokens_set=most.max_tokens_set,
        predicted_p95_ms=state.latency.predicted_p95_ms(now),
        first_token_ms=state.ttft.value_s(now) * 1000 if state.ttft.known else None,
        in_flight=state.in_flight,
        health=state.provider.health.state(now),
        breaker=state.breaker.state(now),
        warm_probability=None if affinity is None else round(warm.probability, 4),
        prefix_tokens=None if affinity is None else warm.tokens,
        effective_cost_nano_usd=None if real >= UNKNOWN_COST else ceil_to_nano(real),
    )


def _sentence(reason: DropReason | None, place: int, requirements: Requirements, target: Target) -> str:
    if reason is not None:
        able = int(target.offering.capabilities)
        return f"dropped: {demand_sentence(reason, requirements, able=able)}"
    return "first choice" if place == 0 else f"choice {place + 1}"
