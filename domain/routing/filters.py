"""Hard filters: who may answer at all. None of them is ever relaxed, for fallbacks neither.

What a demand means where knowledge is missing is decided by which mistake is worse. A region, a compliance
tag, a quality or (under a ceiling) a price that is not known does not satisfy a demand for one. A context
window or a predicted latency that is not known does: the call itself will tell, and costs nothing but time.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from domain.catalog.tags import KEEPS_ANSWERS_TAG, RESPONSES_ONLY_TAG, RESPONSES_TAG
from domain.errors import InvalidRequirements
from domain.money import TOKENS_PER_PRICE_UNIT
from domain.routing.masks import flags_of, mask_of, members_of
from domain.routing.requirements import Requirements
from domain.routing.table import UNKNOWN_COST, Members, RoutingTable

TYPICAL_INPUT_TOKENS = 1_000
TYPICAL_OUTPUT_TOKENS = 250
"""The sizes prices are compared at when nothing is known of the request."""


class DropReason(Enum):
    """Why a candidate may not answer. The values are stable codes; the order is the order of judging."""

    ANOTHERS = "anothers"
    """Another tenant has it alone."""
    NOT_ALLOWED = "not_allowed"
    KEPT_ELSEWHERE = "kept_elsewhere"
    """What the request refers to is kept by another account."""
    KEEPS_NO_ANSWERS = "keeps_no_answers"
    """The request asks for its answer to be kept, or to be made later."""
    PRIVACY = "privacy"
    """A privacy policy lets its personal data go to other targets only."""
    TRANSLATED = "translated"
    """The request asks for something that no translation can bring about."""
    RESIDENCY = "residency"
    COMPLIANCE = "compliance"
    CAPABILITY = "capability"
    CONTEXT = "context"
    TAG = "tag"
    QUALITY_FLOOR = "quality_floor"
    LATENCY_CEILING = "latency_ceiling"
    UNPRICED = "unpriced"
    """The price is unknown, and a cost ceiling applies."""
    COST_CEILING = "cost_ceiling"
    DISABLED = "disabled"
    MAINTENANCE = "maintenance"
    UNHEALTHY = "unhealthy"
    BREAKER_OPEN = "breaker_open"
    COOLING_DOWN = "cooling_down"
    UNREACHABLE = "unreachable"
    """Neither the gateway nor a direct way leads there now."""


PLACE_REASONS = frozenset({DropReason.RESIDENCY, DropReason.COMPLIANCE, DropReason.PRIVACY})
"""Dropped for where or under which rules it works: the caller is refused with 403, not 400."""

PASSING_REASONS = frozenset(
    {
        DropReason.DISABLED,
        DropReason.MAINTENANCE,
        DropReason.UNHEALTHY,
        DropReason.BREAKER_OPEN,
        DropReason.COOLING_DOWN,
        DropReason.UNREACHABLE,
    }
)
"""Reasons that may be gone at the next try: the caller is told to come back (503)."""


class Sizes(NamedTuple):
    """Tokens at which prices are compared."""

    input_tokens: int
    output_tokens: int


class Eligible:
    """The candidates of one request that satisfy everything but the present state of the world.

    A set first; listed, flagged and priced only when someone asks, for a large route is mostly not read.
    """

    __slots__ = ("_costs", "_flags", "_indices", "_mask", "_table", "count", "members", "sizes")

    def __init__(self, table: RoutingTable, members: Members, sizes: Sizes, mask: int) -> None:
        self._table = table
        self._mask: int | None = mask
        self._indices: Sequence[int] | None = members.indices if mask == members.mask else None
        self._flags: bytes | bytearray | None = None
        self._costs: list[int] | None = None
        self.members = members
        self.sizes = sizes
        self.count = mask.bit_count()

    @property
    def mask(self) -> int:
        """The set itself."""
        if self._mask is None:
            self._mask = mask_of(self._indices or ())
        return self._mask

    @property
    def indices(self) -> Sequence[int]:
        """Target indices in the route's declared order."""
        if self._indices is None:
            self._indices = members_of(self.mask, self.members.indices, len(self._table.targets))
        return self._indices

    @property
    def flags(self) -> bytes | bytearray:
        """One byte per target of the table: not 0 for those in the set."""
        if self._flags is None:
            self._flags = flags_of(self.mask, len(self._table.targets))
        return self._flags

    @property
    def costs(self) -> list[int]:
        """The cost of each of `indices`, in nano-dollars times a million."""
        if self._costs is None:
            self._costs = self._table.costs(self.indices, *self.sizes)
        return self._costs

    def within(self, mask: int) -> "Eligible":
        """Those that are in another set too."""
        return Eligible(self._table, self.members, self.sizes, self.mask & mask)

    def keep_within(self, limit_nano_usd: int) -> None:
        """Drops what costs more than this, and what has no known price."""
        # A cost rounded up to a nano-dollar is within the limit exactly when the unrounded one is.
        limit = min(limit_nano_usd * TOKENS_PER_PRICE_UNIT, UNKNOWN_COST - 1)
        within = [pair for pair in zip(self.indices, self.costs, strict=True) if pair[1] <= limit]
        self._indices = [index for index, _ in within]
        self._costs = [cost for _, cost in within]
        self._flags = bytearray(len(self._table.targets))
        for index in self._indices:
            self._flags[index] = 1
        self._mask = None
        self.count = len(within)


def sizes_of(requirements: Requirements) -> Sizes:
    """The request's estimated sizes, or typical ones when it has none."""
    if requirements.input_tokens <= 0 and requirements.output_tokens <= 0:
        return Sizes(TYPICAL_INPUT_TOKENS, TYPICAL_OUTPUT_TOKENS)
    return Sizes(max(0, requirements.input_tokens), max(0, requirements.output_tokens))


def check_region(table: RoutingTable, requirements: Requirements) -> None:
    """Raises InvalidRequirements for a residency that this installation does not know."""
    if requirements.residency is not None and requirements.residency not in table.regions:
        raise InvalidRequirements(
            f"unknown data residency {requirements.residency!r}; allowed: {', '.join(table.regions)}",
            param="data_residency",
        )


def cost_limit_nano_usd(requirements: Requirements, sizes: Sizes) -> int | None:
    """The most this request may cost at its estimated sizes; None without a ceiling."""
    limits = []
    if requirements.max_cost_nano_usd is not None:
        limits.append(requirements.max_cost_nano_usd)
    if requirements.max_cost_nano_usd_per_mtok is not None:
        tokens = sizes.input_tokens + sizes.output_tokens
        limits.append(requirements.max_cost_nano_usd_per_mtok * tokens // TOKENS_PER_PRICE_UNIT)
    return min(limits, default=None)


def demands(
    table: RoutingTable, members: Members, requirements: Requirements, quick: int | None
) -> Iterator[tuple[DropReason, int]]:
    """Each demand that is one set, with the targets that satisfy it; only demands that are made.

    `quick` are those predicted to keep the latency ceiling (`LiveState.quick_enough`), None without one.
    """
    if table.belonging.divides:
        yield DropReason.ANOTHERS, table.belonging.open_to(requirements.tenant_id)
    if requirements.allowed_models is not None:
        yield DropReason.NOT_ALLOWED, table.allowed(requirements.allowed_models, members.route)
    if requirements.only_provider is not None:
        yield DropReason.KEPT_ELSEWHERE, table.of_provider.get(requirements.only_provider, 0)
    if requirements.only_target is not None:
        keeper = table.by_id.get(requirements.only_target)
        yield DropReason.KEPT_ELSEWHERE, 0 if keeper is None else 1 << keeper.index
    if requirements.only_among is not None:
        yield (
            DropReason.PRIVACY,
            mask_of(table.by_id[name].index for name in requirements.only_among if name in table.by_id),
        )
    if requirements.keep_for:
        yield DropReason.KEEPS_NO_ANSWERS, table.tagged.get(KEEPS_ANSWERS_TAG, 0)
    if requirements.native_for is not None:
        yield (
            DropReason.TRANSLATED,
            table.tagged.get(RESPONSES_TAG, 0) | table.tagged.get(RESPONSES_ONLY_TAG, 0),
        )
    yield from _place_demands(table, requirements)
    if requirements.capabilities:
        yield DropReason.CAPABILITY, table.capable(requirements.capabilities)
    needed_tokens = requirements.window_needed_tokens
    if needed_tokens > 0:
        yield DropReason.CONTEXT, table.context.at_least(needed_tokens) | table.context_unknown
    for name in requirements.tags:
        yield DropReason.TAG, table.tagged.get(name, 0)
    if requirements.quality_floor is not None:
        yield DropReason.QUALITY_FLOOR, table.quality.at_least(requirements.quality_floor)
    if quick is not None:
        yield DropReason.LATENCY_CEILING, quick


def _place_demands(table: RoutingTable, requirements: Requirements) -> Iterator[tuple[DropReason, int]]:
    for region in (requirements.residency, requirements.held_to):
        if region:
            yield DropReason.RESIDENCY, table.in_region.get(region, 0)
    if requirements.without_gateway and table.gateway_only:
        yield DropReason.RESIDENCY, ~table.gateway_only
    for name in requirements.compliance:
        yield DropReason.COMPLIANCE, table.compliant.get(name.lower(), 0)


def eligible(
    table: RoutingTable,
    members: Members,
    requirements: Requirements,
    quick: int | None = None,
    *,
    without: frozenset[DropReason] = frozenset(),
    left_out: dict[DropReason, int] | None = None,
) -> Eligible:
    """Those of a route's targets that satisfy every hard demand, the present aside.

    `without` leaves demands out, to find which one stands in the way. `left_out` is told how many each of
    them drops, what has no known price among those that are too dear; what another tenant has alone is not
    told.
    """
    mask = members.mask
    for reason, satisfying in demands(table, members, requirements, quick):
        if reason not in without:
            kept = mask & satisfying
            if kept != mask and left_out is not None and reason is not DropReason.ANOTHERS:
                left_out[reason] = left_out.get(reason, 0) + (mask ^ kept).bit_count()
            mask = kept
    candidates = Eligible(table, members, sizes_of(requirements), mask)
    limit = cost_limit_nano_usd(requirements, candidates.sizes)
    if limit is not None and mask:
        before = candidates.count
        candidates.keep_within(limit)
        if left_out is not None and candidates.count < before:
            left_out[DropReason.COST_CEILING] = before - candidates.count
    return candidates


def drop_reasons(
    table: RoutingTable, members: Members, requirements: Requirements, quick: int | None = None
) -> dict[int, DropReason]:
    """For each of a route's targets that is not eligible, the first demand it does not satisfy."""
    reasons: dict[int, DropReason] = {}
    standing = members.mask
    for reason, satisfying in demands(table, members, requirements, quick):
        failing = standing & ~satisfying
        if failing:
            reasons.update(dict.fromkeys(members_of(failing, members.indices, len(table.targets)), reason))
            standing &= satisfying
    sizes = sizes_of(requirements)
    limit = cost_limit_nano_usd(requirements, sizes)
    if limit is not None:
        rest = members_of(standing, members.indices, len(table.targets))
        for index, cost in zip(rest, table.costs(rest, *sizes), strict=True):
            if cost >= UNKNOWN_COST:
                reasons[index] = DropReason.UNPRICED
            elif cost > limit * TOKENS_PER_PRICE_UNIT:
                reasons[index] = DropReason.COST_CEILING
    return reasons


def dropped_counts(
    table: RoutingTable, members: Members, requirements: Requirements, quick: int | None = None
) -> dict[DropReason, int]:
    """How many of a route's targets each reason drops, in the order of judging."""
    counts: dict[DropReason, int] = {}
    standing = members.mask
    for reason, satisfying in demands(table, members, requirements, quick):
        if failing := (standing & ~satisfying).bit_count():
            counts[reason] = counts.get(reason, 0) + failing
            standing &= satisfying
    sizes = sizes_of(requirements)
    limit = cost_limit_nano_usd(requirements, sizes)
    if limit is not None and standing:
        costs = Eligible(table, members, sizes, standing).costs
        unpriced = sum(1 for cost in costs if cost >= UNKNOWN_COST)
        too_dear = sum(1 for cost in costs if cost > limit * TOKENS_PER_PRICE_UNIT) - unpriced
        counts.update({DropReason.UNPRICED: unpriced} if unpriced else {})
        counts.update({DropReason.COST_CEILING: too_dear} if too_dear else {})
    return counts
