"""Hard filters: who may answer at all. None of them is ever relaxed, for fallbacks neither.

What a demand means where knowledge is missing is decided by which mistake is worse. A region, a compliance
tag, a quality or (under a ceiling) a price that is not known does not satisfy a demand for one. A context
window or a predicted latency that is not known does: the call itself will tell, and costs nothing but time.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from domain.errors import InvalidRequirements
from domain.money import TOKENS_PER_PRICE_UNIT
from domain.routing.masks import members_of
from domain.routing.requirements import Requirements
from domain.routing.table import UNKNOWN_COST, Members, RoutingTable

TYPICAL_INPUT_TOKENS = 1_000
TYPICAL_OUTPUT_TOKENS = 250
"""The sizes prices are compared at when nothing is known of the request."""


class DropReason(Enum):
    """Why a candidate may not answer. The values are stable codes; the order is the order of judging."""

    NOT_ALLOWED = "not_allowed"
    RESIDENCY = "residency"
    COMPLIANCE = "compliance"
    CAPABILITY = "capability"
    CONTEXT = "context"
    TAG = "tag"
    QUALITY_FLOOR = "quality_floor"
    UNPRICED = "unpriced"
    """The price is unknown, and a cost ceiling applies."""
    COST_CEILING = "cost_ceiling"
    LATENCY_CEILING = "latency_ceiling"
    DISABLED = "disabled"
    MAINTENANCE = "maintenance"
    UNHEALTHY = "unhealthy"
    BREAKER_OPEN = "breaker_open"
    COOLING_DOWN = "cooling_down"
    UNREACHABLE = "unreachable"
    """Neither the gateway nor a direct way leads there now."""


PLACE_REASONS = frozenset({DropReason.RESIDENCY, DropReason.COMPLIANCE})
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


class Eligible(NamedTuple):
    """The candidates that satisfy everything but the present state of the world.

    `indices` are in the route's declared order. `costs` belong to them, in nano-dollars times a million, and
    are None until something needed them.
    """

    indices: Sequence[int]
    sizes: Sizes
    costs: list[int] | None


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
    table: RoutingTable, members: Members, requirements: Requirements
) -> Iterator[tuple[DropReason, int]]:
    """Each demand that is one set, with the targets that satisfy it; only demands that are made."""
    if requirements.allowed_models is not None:
        yield DropReason.NOT_ALLOWED, table.allowed(requirements.allowed_models, members.route)
    if requirements.residency is not None:
        yield DropReason.RESIDENCY, table.in_region.get(requirements.residency, 0)
    for name in requirements.compliance:
        yield DropReason.COMPLIANCE, table.compliant.get(name.lower(), 0)
    if requirements.capabilities:
        yield DropReason.CAPABILITY, table.capable(requirements.capabilities)
    needed_tokens = requirements.input_tokens + requirements.output_tokens
    if needed_tokens > 0:
        yield DropReason.CONTEXT, table.context.at_least(needed_tokens) | table.context_unknown
    for name in requirements.tags:
        yield DropReason.TAG, table.tagged.get(name, 0)
    if requirements.quality_floor is not None:
        yield DropReason.QUALITY_FLOOR, table.quality.at_least(requirements.quality_floor)


def eligible(
    table: RoutingTable,
    members: Members,
    requirements: Requirements,
    *,
    without: frozenset[DropReason] = frozenset(),
) -> Eligible:
    """Those of a route's targets that satisfy every hard demand, the present aside.

    `without` leaves demands out, to find which one stands in the way.
    """
    mask = members.mask
    for reason, satisfying in demands(table, members, requirements):
        if reason not in without:
            mask &= satisfying
    sizes = sizes_of(requirements)
    if not mask:
        return Eligible((), sizes, None)
    if mask == members.mask:
        indices: Sequence[int] = members.indices
    else:
        indices = members_of(mask, members.indices, len(table.targets))
    limit = cost_limit_nano_usd(requirements, sizes)
    if limit is None:
        return Eligible(indices, sizes, None)
    # A cost rounded up to a nano-dollar is within the limit exactly when the unrounded one is.
    limit = min(limit * TOKENS_PER_PRICE_UNIT, UNKNOWN_COST - 1)
    costs = table.costs(indices, *sizes)
    within = [(index, cost) for index, cost in zip(indices, costs, strict=True) if cost <= limit]
    return Eligible([index for index, _ in within], sizes, [cost for _, cost in within])


def drop_reasons(table: RoutingTable, members: Members, requirements: Requirements) -> dict[int, DropReason]:
    """For each of a route's targets that is not eligible, the first demand it does not satisfy."""
    reasons: dict[int, DropReason] = {}
    standing = members.mask
    for reason, satisfying in demands(table, members, requirements):
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
