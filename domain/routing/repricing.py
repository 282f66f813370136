"""A routing table at the prices that contracts give today."""

from collections.abc import Mapping
from dataclasses import replace

from domain.routing.effective_price import PriceContract, discounted, discounts_due
from domain.routing.table import RoutingTable
from domain.routing.target import Route, Target


def contracts_of(table: RoutingTable) -> dict[str, PriceContract]:
    """The price contracts of a table's providers that have one."""
    return {target.provider: target.contract for target in table.targets if target.contract is not None}


def repriced(table: RoutingTable, month_nano_usd: Mapping[str, int]) -> RoutingTable:
    """The same table less the discounts due at these bills of the month, by provider, in nano-dollars.

    `table` holds list prices. Without any discount it is returned as it is; otherwise every target of a
    discounted provider is replaced, in the table and in its routes.
    """
    due = discounts_due(contracts_of(table), month_nano_usd)
    if not due:
        return table

    def at_our_price(target: Target) -> Target:
        basis_points = due.get(target.provider, 0)
        if not basis_points:
            return target
        prices = discounted(target.offering.prices, basis_points)
        return replace(target, offering=replace(target.offering, prices=prices))

    targets = [at_our_price(target) for target in table.targets]

    def through_ours(route: Route) -> Route:
        members = tuple(replace(member, target=targets[member.target.index]) for member in route.targets)
        stand_ins = {index: at_our_price(target) for index, target in route.stand_ins.items()}
        return replace(route, targets=members, stand_ins=stand_ins)

    return RoutingTable.compile(
        targets,
        {name: through_ours(route) for name, route in table.routes.items()},
        known_regions=table.regions,
        default_route=table.default_route,
        home_region=table.home_region,
        cache=table.cache_by_default,
        region_groups=table.atlas.groups,
    )
