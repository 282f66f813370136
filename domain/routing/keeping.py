"""Answers that somebody keeps: who may continue one, and who may be asked to keep one.

An answer's id, and reasoning that only its maker can read, mean something to one account of one provider.
A request that refers to such a thing is bound there: strictly, where nobody else could know what is meant,
else by preference, with a body that anybody else understands.
"""

from collections.abc import Callable
from dataclasses import replace

from domain.errors import InterchangeError
from domain.llm.request import Home, LlmRequest
from domain.routing.plan import Plan
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, Target


def demand_keeper(requirements: Requirements, request: LlmRequest, table: RoutingTable, route: Route) -> None:
    """Adds what the request's own words about keeping demand of whoever answers."""
    requirements.keep_for = needs_keeper(request, route)
    if request.home is not None and request.home.elsewhere is None:
        bind(requirements, request.home, table, route)


def needs_keeper(request: LlmRequest, route: Route) -> str:
    """The parameter that only a target which keeps its answers can serve; empty when any target can.

    An own store can keep an answer; it cannot go on working when the caller has left.
    """
    if request.background:
        return "background"
    if request.store and route.answers_kept_s is None:
        return "store"
    return ""


def bind(requirements: Requirements, home: Home, table: RoutingTable, route: Route) -> None:
    """Narrows the demands to where the thing is kept.

    The same target where the route has it; else, for a caller who changed the model in the middle of a
    conversation, whatever the route has at that account.
    """
    requirements.only_credential = home.credential
    target = table.by_id.get(home.target_id)
    if target is not None and table.members(route).mask >> target.index & 1:
        requirements.only_target = home.target_id
    else:
        requirements.only_provider = home.provider


def plan_with_home(
    make: Callable[[Requirements], Plan],
    requirements: Requirements,
    request: LlmRequest,
    table: RoutingTable,
    route: Route,
) -> Plan:
    """The plan `make` gives for the demands, beginning at the request's home where that is a preference.

    Raises what `make` raises for the demands themselves.
    """
    plan = make(requirements)
    home = request.home
    if home is None or home.elsewhere is None:
        return plan
    narrowed = replace(requirements)
    bind(narrowed, home, table, route)
    try:
        at_home = make(narrowed)
    except InterchangeError:
        return plan
    return home_first(plan, at_home)


def home_first(plan: Plan, at_home: Plan) -> Plan:
    """A plan that tries the account where things are kept, then whoever else would have been asked."""
    first = at_home.targets
    ids = {target.id for target in first}
    others = tuple(target for target in plan.targets if target.id not in ids)
    targets = (first + others)[: 1 + max(0, plan.route.max_fallbacks)]
    kept = {target.id for target in targets}
    return plan._replace(
        targets=targets,
        spares=tuple(target for target in plan.spares if target.id not in kept),
        propensity=at_home.propensity,
    )


def is_home(home: Home, target: Target, credential: str) -> bool:
    """Whether a call to this target with this key of its provider reaches the account."""
    return home.provider == target.provider and home.credential == credential


def as_sent(request: LlmRequest, target: Target, credential: str) -> LlmRequest:
    """The request as this account understands it: what only another one knows is left out or spelt out."""
    home = request.home
    if home is None or home.elsewhere is None or is_home(home, target, credential):
        return request
    return replace(
        request,
        body=home.elsewhere,
        contents=home.contents,
        fields=request.fields - {"previous_response_id"},
        previous_response_id="",
        home=None,
    )


def left_out(request: LlmRequest, target: Target, credential: str) -> tuple[str, ...]:
    """What of the request this account does not get."""
    home = request.home
    if home is None or is_home(home, target, credential):
        return request.left_out
    return tuple(dict.fromkeys((*request.left_out, *home.dropped)))
