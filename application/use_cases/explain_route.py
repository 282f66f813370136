"""What would happen to a request, without sending anything (SPEC L6)."""

from application.affinity import AffinityBook
from application.attempts import AttemptLoop
from application.demands import complete_requirements
from application.places import NO_PLACES, Places
from application.ports.system import Clock
from application.runtime import Runtime
from domain.budgets.output_limit import as_limited
from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.errors import Forbidden
from domain.llm.request import LlmRequest
from domain.routing.explanation import CostLimit, Explanation, explain
from domain.routing.keeping import demand_keeper
from domain.routing.prompt_marking import with_prompt_marks
from domain.routing.ranking import Recall
from domain.routing.requirements import Requirements
from domain.routing.target import Route, Target
from domain.tenancy.principal import Principal

DRAW_SHOWN = 0.5
"""Strategies that draw lots are explained for one fixed draw; the explanation says which."""


class ExplainRoute:
    """Runs the same planner over the same snapshot as a live request would."""

    def __init__(
        self,
        runtime: Runtime,
        attempts: AttemptLoop,
        clock: Clock,
        affinity: AffinityBook | None = None,
        places: Places = NO_PLACES,
    ) -> None:
        self._places = places
        self._affinity = affinity
        self._runtime = runtime
        self._attempts = attempts
        self._clock = clock

    def __call__(
        self,
        principal: Principal,
        request: LlmRequest,
        requirements: Requirements,
        session_id: str = "",
    ) -> Explanation:
        """`session_id` is the conversation's, where the caller names one.

        Raises Forbidden, UnknownModel or InvalidRequirements."""
        if not principal.may("routing.explain"):
            raise Forbidden(f"the role {principal.role!r} may not explain routing (needs routing.explain)")
        table, live = self._runtime.snapshot
        route = table.resolve(request.model, principal.tenant_id)
        demand_keeper(requirements, request, table, route)
        return explain(
            table,
            route,
            complete_requirements(requirements, request, principal, self._places),
            live,
            now=self._clock.monotonic(),
            draw=DRAW_SHOWN,
            reachable=lambda target: self._attempts.reachable(
                target, request.dialect, direct=requirements.without_gateway
            ),
            recall=self._recall(principal, route, session_id, request, requirements),
            limit_of=lambda target: cost_limit(request, route, target),
        )

    def _recall(
        self,
        principal: Principal,
        route: Route,
        session_id: str,
        request: LlmRequest,
        requirements: Requirements,
    ) -> Recall | None:
        book = self._affinity
        if book is None or not route.affinity.enabled or not requirements.affinity:
            return None
        marked = route.prompt_caching.marks
        return lambda: book.recall(principal.tenant_id, route.name, session_id, request, marked=marked)


def cost_limit(request: LlmRequest, route: Route, target: Target) -> CostLimit:
    """The most this request can cost at the target, with the limit that the route puts in."""
    sent = with_prompt_marks(as_limited(request, route, target), route, target)
    bound = worst_attempt_cost(sent, target)
    if isinstance(bound, Bound):
        return CostLimit(bound.nano_usd, bound.made_by, sent.forced_max_output_tokens)
    return CostLimit(None, f"{bound.reason}; {bound.remedy}", sent.forced_max_output_tokens)
