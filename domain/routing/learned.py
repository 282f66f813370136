"""A routing table with what was learned of its targets' quality, for routes that ask for it."""

from collections.abc import Mapping
from dataclasses import replace

from domain.routing.table import RoutingTable
from domain.routing.target import Target

Qualities = Mapping[tuple[str, str], float]
"""What was learned, 0 to 1, by (provider, model)."""


def wants_learned(table: RoutingTable) -> bool:
    """Whether any of its routes is ranked by what was learned."""
    return any(route.quality.learned for route in table.routes.values())


def learned_table(table: RoutingTable, qualities: Qualities) -> RoutingTable | None:
    """The same targets, each at its own place, with these qualities in place of declared ones; None where no
    route asks for it, or nothing was learned of any target.

    Live state belongs to both tables alike. Only the ranking reads the made one: names, prices and what
    tenants have alone stay the business of the table it is made from.
    """
    if not qualities or not wants_learned(table):
        return None

    def as_learned(target: Target) -> Target:
        quality = qualities.get((target.provider, target.model))
        if quality is None or quality == target.offering.quality:
            return target
        return replace(target, offering=replace(target.offering, quality=quality))

    targets = [as_learned(target) for target in table.targets]
    if all(made is target for made, target in zip(targets, table.targets, strict=True)):
        return None
    return RoutingTable.compile(
        targets,
        table.routes,
        known_regions=table.regions,
        default_route=table.default_route,
        home_region=table.home_region,
        cache=table.cache_by_default,
        region_groups=table.atlas.groups,
    )
