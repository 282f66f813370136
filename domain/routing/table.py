"""The compiled routing table: everything about targets that does not change while it is in use.

Built once per configuration or catalogue change and swapped whole. Each demand a caller can make is
answered by one precomputed set, so that filtering thousands of targets is a few integer operations.
"""

from collections.abc import Mapping, Sequence

from domain.catalog.prices import PriceTable, rates_for
from domain.errors import InvalidRequest, UnknownModel
from domain.llm.capabilities import Capability
from domain.money import TOKENS_PER_PRICE_UNIT
from domain.residency.place import GLOBAL_REGION, Atlas
from domain.routing.belonging import Belonging
from domain.routing.cache_policy import OFF, CacheMode, CachePolicy
from domain.routing.effective_price import carries
from domain.routing.masks import ThresholdMasks, mask_of
from domain.routing.names import ModelNames
from domain.routing.requirements import REGIONS
from domain.routing.route_version import route_version
from domain.routing.target import Route, Target, Via

UNKNOWN_COST = 10**30
"""A cost at or above this is not known. Far above any real one, so the unknown ranks last."""

_UNKNOWN_RATE = UNKNOWN_COST
_MEMBERS_KEPT_MAX = 8192
_ALLOWANCES_KEPT_MAX = 4096


DIRECT_MAX = 96
"""Up to so many targets, looking at each is quicker than keeping something sorted for them."""

CostOrder = list[tuple[float, int, int]]
"""(a lower bound of the cost, place in the route, target index), cheapest first."""


class Members:
    """A route's targets as the planner reads them: indices in declared order, weights and priorities.

    A target listed twice counts once, with the sum of its weights and its best priority.
    """

    __slots__ = (
        "_version", "cost_orders", "even", "indices", "level", "mask", "priority", "route",
        "weight", "weight_sum",
    )  # fmt: skip

    def __init__(self, route: Route) -> None:
        self.route = route
        self.weight: dict[int, float] = {}
        self.priority: dict[int, int] = {}
        for member in route.targets:
            index = member.target.index
            self.weight[index] = self.weight.get(index, 0.0) + max(0.0, member.weight)
            self.priority[index] = min(self.priority.get(index, member.priority), member.priority)
        self.indices = tuple(self.weight)
        self.mask = mask_of(self.indices)
        self.weight_sum = sum(self.weight.values())
        self.even = len(set(self.weight.values())) <= 1
        """Whether all weights are the same."""
        self.level = len(set(self.priority.values())) <= 1
        """Whether all priorities are the same."""
        self.cost_orders: dict[tuple[int, int, bool], CostOrder] = {}
        """Kept by `domain.routing.cheapest`, which bounds it."""
        self._version = ""

    @property
    def version(self) -> str:
        """Of everything about the route that could change an answer; equal in every process."""
        if not self._version:
            self._version = route_version(self.route)
        return self._version


class RoutingTable:
    """Targets, routes and names of one configuration. Immutable to its users; it keeps caches inside."""

    __slots__ = (
        "_allowances",
        "_capable",
        "_capable_of_all",
        "_lowest_tier",
        "_members",
        "_names",
        "_tiered",
        "all_mask",
        "atlas",
        "belonging",
        "by_context",
        "by_id",
        "by_quality",
        "cache_by_default",
        "compares_questions",
        "compliant",
        "context",
        "context_unknown",
        "default_route",
        "gateway_only",
        "home_region",
        "in_region",
        "input_rate",
        "keeps_answers",
        "learned",
        "located",
        "of_provider",
        "output_rate",
        "per_request",
        "qualities",
        "quality",
        "regions",
        "reserved",
        "routes",
        "tagged",
        "targets",
    )

    def __init__(
        self,
        targets: Sequence[Target],
        routes: Mapping[str, Route],
        *,
        known_regions: Sequence[str],
        default_route: str | None,
        home_region: str | None,
        cache: CachePolicy = OFF,
        region_groups: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self.targets = tuple(targets)
        self.routes = dict(routes)
        self.by_id = {target.id: target for target in self.targets}
        self._check()
        self.atlas = Atlas((*known_regions, *(t.region for t in self.targets if t.region)), region_groups)
        self.regions = self.atlas.regions
        self.home_region = home_region
        shared = [target for target in self.targets if not target.tenant_id]
        self._names = ModelNames(shared, self.routes, cache=cache)
        self.belonging = Belonging(self.targets, cache)
        self.cache_by_default = cache
        self.learned: RoutingTable | None = None
        """The same targets with what was learned of their quality (`domain.routing.learned`), for routes that
        want to be ranked by it. The one thing that changes here: it is swapped whole."""
        policies = (cache, *(route.cache for route in self.routes.values()))
        self.keeps_answers = any(each.mode is not CacheMode.OFF for each in policies)
        """Whether any route does."""
        self.compares_questions = any(each.mode.looks_for_similar for each in policies)
        self.default_route = default_route
        if default_route is not None:
            try:
                self._names.resolve(default_route)
            except UnknownModel as error:
                raise InvalidRequest(
                    f"the default route is unknown: {error.message}", param="default_route"
                ) from None
        self._members: dict[int, Members] = {}
        self._allowances: dict[frozenset[str], int] = {}
        self._index_demands()
        self._index_sizes()
        self._index_prices()

    @classmethod
    def compile(
        cls,
        targets: Sequence[Target],
        routes: Mapping[str, Route],
        *,
        known_regions: Sequence[str] = REGIONS,
        default_route: str | None = None,
        home_region: str | None = None,
        cache: CachePolicy = OFF,
        region_groups: Mapping[str, frozenset[str]] | None = None,
    ) -> "RoutingTable":
        """A table of these targets and routes.

        Each target's `index` is its place in `targets`. Regions that targets name are known beside
        `known_regions`. `default_route` (any name that resolves) answers an empty one. `home_region` is
        where this installation stands, for the geographic strategy. A demand for one of `region_groups` is
        met by each of its regions. `cache` holds for routes that nobody
        declared, which are models asked for by name.

        Raises:
            InvalidRequest: an index or id is wrong or doubled, a route names a target that is not in the
                table, or the default route does not exist.
        """
        return cls(
            targets,
            routes,
            known_regions=known_regions,
            default_route=default_route,
            home_region=home_region,
            cache=cache,
            region_groups=region_groups,
        )

    def resolve(self, model: str, tenant_id: str = "") -> Route:
        """The route behind a name a caller of this tenant wrote (SPEC L3; the order of meanings is in
        `names`, what a tenant has alone comes first). Without a tenant only what is everybody's has names.

        Raises:
            UnknownModel: nothing of that name; carries the nearest ones.
        """
        if model:
            own = self.belonging.resolve(model, tenant_id) if tenant_id else None
            return self._names.resolve(model) if own is None else own
        if self.default_route is None:
            raise UnknownModel("no model was named, and this installation has no default route")
        return self._names.resolve(self.default_route)

    def nearest_names(self, model: str) -> list[str]:
        """The closest names to one, best first, at most five."""
        return self._names.nearest(model)

    def members(self, route: Route) -> Members:
        """The planner's view of a route, made once per route object."""
        known = self._members.get(id(route))
        # The kept view holds its route, so an id cannot be reused while it is here.
        if known is not None and known.route is route:
            return known
        if len(self._members) >= _MEMBERS_KEPT_MAX:
            self._members.clear()
        made = self._members[id(route)] = Members(route)
        return made

    def capable(self, needs: Capability) -> int:
        """Targets that can do all of these."""
        mask = self._capable_of_all.get(int(needs))
        if mask is None:
            mask = self.all_mask
            for bit, able in self._capable.items():
                if needs & bit:
                    mask &= able
            self._capable_of_all[int(needs)] = mask
        return mask

    def allowed(self, names: frozenset[str], route: Route) -> int:
        """Targets of a route that a key limited to these names may use.

        A name is a route's (then the whole route is allowed), a target's id, or a prefix with `*`.
        """
        if route.name in names or "*" in names:
            return self.all_mask
        mask = self._allowances.get(names)
        if mask is None:
            prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
            mask = mask_of(
                target.index
                for target in self.targets
                if not names.isdisjoint((target.id, target.own_id))
                or (prefixes and (target.id.startswith(prefixes) or target.own_id.startswith(prefixes)))
            )
            if len(self._allowances) >= _ALLOWANCES_KEPT_MAX:
                self._allowances.clear()
            self._allowances[names] = mask
        return mask

    def costs(self, indices: Sequence[int], input_tokens: int, output_tokens: int) -> list[int]:
        """Cost of each at these sizes, in nano-dollars times a million, not rounded.

        The same sum as `bill`, before its one rounding; UNKNOWN_COST or more when a needed price is unknown.
        """
        into, out, flat = self.input_rate, self.output_rate, self.per_request
        costs = [input_tokens * into[x] + output_tokens * out[x] + flat[x] for x in indices]
        if input_tokens > self._lowest_tier:
            for place, index in enumerate(indices):
                if index in self._tiered:
                    costs[place] = self.cost(index, input_tokens, output_tokens)
        return costs

    def cost(self, index: int, input_tokens: int, output_tokens: int) -> int:
        """The same for one target."""
        flat = self.per_request[index]
        if input_tokens > self._lowest_tier and index in self._tiered:
            rates = rates_for(self._tiered[index], input_tokens)
            return input_tokens * _rate(rates.input) + output_tokens * _rate(rates.output) + flat
        return input_tokens * self.input_rate[index] + output_tokens * self.output_rate[index] + flat

    def least_costs(self, indices: Sequence[int], input_tokens: int, output_tokens: int) -> list[int]:
        """What each would cost at these sizes in its cheapest tier; the tier that applies is no cheaper."""
        into, out, flat = self.input_rate, self.output_rate, self.per_request
        costs = [input_tokens * into[x] + output_tokens * out[x] + flat[x] for x in indices]
        if self._tiered:
            for place, index in enumerate(indices):
                if index in self._tiered:
                    costs[place] = flat[index] + min(
                        input_tokens * _rate(rates.input) + output_tokens * _rate(rates.output)
                        for rates in (self._tiered[index].base, *(t.rates for t in self._tiered[index].tiers))
                    )
        return costs

    def _check(self) -> None:
        if len(self.by_id) != len(self.targets):
            raise InvalidRequest("two targets have the same id", param="targets")
        for place, target in enumerate(self.targets):
            if target.index != place:
                raise InvalidRequest(f"target {target.id!r} has index {target.index}, not {place}")
        for route in self.routes.values():
            for member in route.targets:
                known = self.by_id.get(member.target.id)
                if known is None or known.index != member.target.index:
                    raise InvalidRequest(
                        f"route {route.name!r} names {member.target.id!r}, which is not in the table",
                        param=f"routes.{route.name}.targets",
                    )

    def _index_demands(self) -> None:
        self.all_mask = (1 << len(self.targets)) - 1
        self.gateway_only = mask_of(t.index for t in self.targets if t.via is Via.PORTKEY)
        self._capable_of_all: dict[int, int] = {}
        self._capable = {
            bit: mask_of(t.index for t in self.targets if t.offering.capabilities & bit) for bit in Capability
        }
        self.of_provider: dict[str, int] = {}
        self.located: dict[str | None, int] = {}
        self.in_region: dict[str, int] = {}
        self.compliant: dict[str, int] = {}
        self.tagged: dict[str, int] = {}
        for target in self.targets:
            bit = 1 << target.index
            _set(self.of_provider, target.provider, bit)
            region = region_of(target)
            self.located[region] = self.located.get(region, 0) | bit
            for name in target.compliance | target.offering.compliance:
                _set(self.compliant, name.lower(), bit)
            for name in target.tags | target.offering.tags:
                _set(self.tagged, name, bit)
        self.in_region.update((region, mask) for region, mask in self.located.items() if region is not None)
        for group, members in self.atlas.groups.items():
            for region in members:
                _set(self.in_region, group, self.located.get(region, 0))
            _set(
                self.in_region,
                group,
                mask_of(
                    target.index
                    for target in self.targets
                    if target.region is None
                    and target.offering.regions
                    and target.offering.regions <= members
                ),
            )
        # Whoever accepts "anywhere in the world" accepts every place, an unknown one too.
        self.in_region[GLOBAL_REGION] = self.all_mask

    def _index_sizes(self) -> None:
        self.context = ThresholdMasks(
            (t.index, t.offering.context_tokens)
            for t in self.targets
            if t.offering.context_tokens is not None
        )
        self.context_unknown = mask_of(t.index for t in self.targets if t.offering.context_tokens is None)
        self.by_context = tuple(
            sorted(range(len(self.targets)), key=lambda x: -(self.targets[x].offering.context_tokens or 0))
        )
        self.qualities = [target.offering.quality for target in self.targets]
        qualities = self.qualities
        self.by_quality = tuple(
            sorted(
                range(len(qualities)), key=lambda x: 1.0 if qualities[x] is None else -(qualities[x] or 0.0)
            )
        )
        self.quality = ThresholdMasks(
            (index, quality) for index, quality in enumerate(self.qualities) if quality is not None
        )

    def _index_prices(self) -> None:
        prices = [target.offering.prices for target in self.targets]
        self.input_rate = [_rate(table.base.input) for table in prices]
        self.output_rate = [_rate(table.base.output) for table in prices]
        self.per_request = [table.per_request * TOKENS_PER_PRICE_UNIT for table in prices]
        self._tiered: dict[int, PriceTable] = {i: table for i, table in enumerate(prices) if table.tiers}
        self.reserved = mask_of(
            target.index
            for target in self.targets
            if target.contract is not None and carries(target.contract.reserved, target.model)
        )
        """Targets that capacity paid by the hour may carry."""
        thresholds = [tier.above_input_tokens for table in self._tiered.values() for tier in table.tiers]
        self._lowest_tier = min(thresholds, default=UNKNOWN_COST)


def region_of(target: Target) -> str | None:
    """Where a target surely answers from.

    What the operator said decides. Without that, an offering that exists in one region only is there; one
    that exists in several may answer from any of them, so its region is unknown.
    """
    if target.region is not None:
        return target.region
    regions = target.offering.regions
    return next(iter(regions)) if len(regions) == 1 else None


def _rate(rate: int | None) -> int:
    return _UNKNOWN_RATE if rate is None else rate


def _set(masks: dict[str, int], name: str, bit: int) -> None:
    masks[name] = masks.get(name, 0) | bit
