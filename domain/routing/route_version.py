"""When two routes may answer for each other."""

from hashlib import blake2b
from typing import Final

from domain.routing.target import Route

_BYTES: Final = 16


def route_version(route: Route) -> str:
    """Changes with whatever of a route could change an answer: who may give it, and under which limits.

    Prices, timeouts and budgets do not; what the route does with answers afterwards does not either, but for
    where it tells their cost: streams are kept with the place for it.
    """
    parts = [
        route.strategy,
        repr(route.max_output_tokens),
        repr(route.answers_kept_s is not None),
        route.usage_cost.value,
    ]
    for member in route.targets:
        target = route.stand_ins.get(member.target.index, member.target)
        offering = target.offering
        parts += [
            target.id,
            target.model,
            target.wire,
            target.region or "",
            offering.version or "",
            repr(sorted(target.compliance)),
            repr(sorted(target.tags)),
            repr(target.simulated),
        ]
    # The spelling of a list of texts tells where each of them ends.
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=_BYTES).hexdigest()
