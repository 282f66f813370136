"""Candidates by cost, without pricing thousands of them for each request.

A cost is `input x rate + output x rate + a flat part`, so it grows with the sizes. Rounding both sizes down
to three significant bits gives a lower bound at most a fifth below the real cost, and few enough different
sizes to keep a sorted order for each. Walking that order, a candidate is final as soon as its real cost is
below the bound of all that follow: the result is exactly the order by real cost, read as far as needed.
Dividing cost and bound by the same quality changes nothing about that.
"""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from domain.routing.filters import Eligible
from domain.routing.table import DIRECT_MAX, UNKNOWN_COST, CostOrder, Members, RoutingTable

_ORDERS_KEPT_MAX = 48
_SIGNIFICANT_BITS = 3

Rank = float | int | tuple[float | int, ...]


def cheapest_first(table: RoutingTable, candidates: Eligible, *, per_quality: bool = False) -> Iterator[int]:
    """Target indices by cost at the request's sizes; equal costs in the route's declared order.

    With `per_quality`, by cost / quality; an unknown quality, or one of 0, comes last.
    """
    if candidates.count > DIRECT_MAX:
        return _walk(table, candidates, per_quality)
    costs = candidates.costs
    if not per_quality:
        return sorted_lazily(candidates.indices, costs)
    ranks = [_per_quality(table, x, cost) for x, cost in zip(candidates.indices, costs, strict=True)]
    return sorted_lazily(candidates.indices, ranks)


def sorted_lazily(indices: Sequence[int], ranks: Sequence[Rank]) -> Iterator[int]:
    """Indices by rank, equal ranks in their given order; the sorting is paid for as far as it is read."""
    heap = [(rank, place) for place, rank in enumerate(ranks)]
    heapify(heap)
    while heap:
        yield indices[heappop(heap)[1]]


def rounded_down(tokens: int) -> int:
    """The number with all but its three leading bits cleared."""
    spare_bits = tokens.bit_length() - _SIGNIFICANT_BITS
    return tokens if spare_bits <= 0 else tokens >> spare_bits << spare_bits


def _walk(table: RoutingTable, candidates: Eligible, per_quality: bool) -> Iterator[int]:
    input_tokens, output_tokens = candidates.sizes
    flags = candidates.flags
    waiting: CostOrder = []
    for bound, place, index in _order(table, candidates.members, candidates.sizes, per_quality):
        if not flags[index]:
            continue
        while waiting and waiting[0][0] < bound:
            yield heappop(waiting)[2]
        cost = table.cost(index, input_tokens, output_tokens)
        heappush(waiting, (_per_quality(table, index, cost) if per_quality else cost, place, index))
    while waiting:
        yield heappop(waiting)[2]


def _order(table: RoutingTable, members: Members, sizes: tuple[int, int], per_quality: bool) -> CostOrder:
    rounded = rounded_down(sizes[0]), rounded_down(sizes[1])
    key = (*rounded, per_quality)
    order = members.cost_orders.get(key)
    if order is None:
        bounds: list[float] = list(table.least_costs(members.indices, *rounded))
        if per_quality:
            bounds = [_per_quality(table, x, bound) for x, bound in zip(members.indices, bounds, strict=True)]
        places = sorted(range(len(bounds)), key=bounds.__getitem__)
        order = [(bounds[place], place, members.indices[place]) for place in places]
        if len(members.cost_orders) >= _ORDERS_KEPT_MAX:
            # Sizes come and go with the traffic; the oldest order is the least likely to be asked for.
            members.cost_orders.pop(next(iter(members.cost_orders)))
        members.cost_orders[key] = order
    return order


def _per_quality(table: RoutingTable, index: int, cost: float) -> float:
    quality = table.qualities[index]
    # A price of 0 is no bargain without quality, and an unknown price cannot be weighed at all.
    return min(cost / quality, float(UNKNOWN_COST)) if quality else float(UNKNOWN_COST)
