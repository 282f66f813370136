"""How one tool is reached, worked out once: as a target with a price, on a route with its policies.

So what watches over calls of models (money, limits, privacy, caches, records) watches over calls of tools
without knowing the difference.
"""

from typing import Final, NamedTuple

from domain.catalog.offering import Offering
from domain.catalog.prices import PriceTable, Rates
from domain.connectors.integration import Integration
from domain.connectors.terms import IntegrationTerms
from domain.connectors.tool import RESULT_BYTES_MAX, TIMEOUT_S_MAX, Tool
from domain.routing.cache_policy import OFF, CacheMode, CachePolicy
from domain.routing.plan import Plan
from domain.routing.table import Members, RoutingTable
from domain.routing.target import Route, RouteTarget, Target, Via
from domain.time import Timeouts

STRATEGY: Final = "tool"
WIRE: Final = "tool"
_NOTHING: Final = Rates(input=0, output=0)


class ToolWay(NamedTuple):
    """One tool, ready to be called."""

    tool: Tool
    target: Target
    route: Route
    plan: Plan
    table: RoutingTable
    members: Members
    timeout_s: float
    """The longest it may take."""


def tool_way(integration: Integration, terms: IntegrationTerms, tool: Tool) -> ToolWay:
    """The way to one tool of an integration."""
    cost = terms.cost_nano_usd if tool.cost_nano_usd is None else tool.cost_nano_usd
    target = Target(
        index=0,
        id=f"{integration.integration_id}/{tool.name}",
        provider=integration.integration_id,
        model=tool.name,
        offering=Offering(
            provider=integration.integration_id,
            model=tool.name,
            prices=PriceTable(base=_NOTHING, per_request=cost, source="integration"),
            version=str(integration.version),
        ),
        wire=WIRE,
        via=Via.DIRECT,
        region=terms.region,
    )
    timeout_s = min(terms.timeout_s, tool.timeout_s or TIMEOUT_S_MAX)
    route = Route(
        name=integration.integration_id,
        targets=(RouteTarget(target=target),),
        strategy=STRATEGY,
        max_fallbacks=0,
        retries=0,
        timeouts=Timeouts(total_s=timeout_s, stream_total_s=timeout_s),
        cache=_cache_policy(terms, tool),
        privacy=terms.privacy,
        guardrails=terms.guardrails,
    )
    table = RoutingTable((target,), {}, known_regions=(), default_route=None, home_region=None)
    return ToolWay(
        tool, target, route, Plan(route, (target,), (), STRATEGY, 1), table, Members(route), timeout_s
    )


def _cache_policy(terms: IntegrationTerms, tool: Tool) -> CachePolicy:
    """Results of what changes nothing, where somebody said for how long they hold."""
    ttl_s = terms.cache_ttl_s if tool.cache_ttl_s is None else tool.cache_ttl_s
    if not tool.read_only or not ttl_s:
        return OFF
    return CachePolicy(mode=CacheMode.EXACT, ttl_s=ttl_s, entry_bytes_max=RESULT_BYTES_MAX)
