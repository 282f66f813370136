"""The one ranking behind both a plan and its explanation, so that they cannot disagree."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from domain.errors import InterchangeError
from domain.routing.affinity import affinity_of, settled_order
from domain.routing.conversation import Conversation
from domain.routing.field import Field
from domain.routing.filters import DropReason, check_region, eligible
from domain.routing.live import LiveState
from domain.routing.refusals import refusal_by_demands
from domain.routing.requirements import Requirements
from domain.routing.strategies import Strategy, strategy_named
from domain.routing.table import Members, RoutingTable
from domain.routing.target import Route, Target

Reachable = Callable[[Target], bool]
"""Whether any way, through the gateway or direct, leads to a target now."""


Recall = Callable[[], Conversation | None]
"""Finds out which conversation a request continues; None where it cannot be told. Asked only
when there is a choice."""


class Ranking(NamedTuple):
    """The eligible candidates and the strategy that orders them."""

    field: Field
    strategy: Strategy
    strategy_name: str

    def usable(self, reachable: Reachable | None) -> Iterator[Target]:
        """Those that may be tried now, best first; the ranking is paid for as far as it is read."""
        field = self.field
        targets, left_out = field.table.targets, field.left_out
        for index in self.order(reachable):
            reason = why_not_now(field, index, reachable)
            if reason is None:
                yield targets[index]
            else:
                left_out[reason] = left_out.get(reason, 0) + 1

    def order(self, reachable: Reachable | None) -> Iterator[int]:
        """All candidates, best first, usable or not."""
        field = self.field
        plain = self.strategy(field)
        if not field.free and (field.affinity is None or not field.affinity.weighs):
            return plain
        return settled_order(
            field,
            self.strategy_name,
            field.affinity,
            plain,
            lambda index: why_not_now(field, index, reachable) is None,
        )


def rank(
    table: RoutingTable,
    route: Route,
    requirements: Requirements,
    live: LiveState,
    *,
    now: float,
    draw: float,
    recall: Recall | None = None,
) -> Ranking | InterchangeError:
    """The eligible candidates, ready to be ranked, or the refusal when there are none.

    `recall` tells the conversation, whose warm prompt caches then count.

    Raises:
        InvalidRequirements: unknown region or strategy.
    """
    name = requirements.strategy or route.strategy
    strategy = strategy_named(name)
    check_region(table, requirements)
    members = table.members(route)
    quick = quick_enough(members, requirements, live, now)
    left_out: dict[DropReason, int] = {}
    candidates = eligible(table, members, requirements, quick, left_out=left_out)
    if not candidates.count:
        return refusal_by_demands(table, members, requirements, quick)
    field = Field(table, members, requirements, live, candidates, left_out, now=now, draw=draw)
    if recall is not None and candidates.count > 1:
        conversation = recall()
        if conversation is not None:
            field.affinity = affinity_of(field, conversation)
    return Ranking(field, strategy, name)


def quick_enough(members: Members, requirements: Requirements, live: LiveState, now: float) -> int | None:
    """The targets that keep the latency ceiling; None without one."""
    ceiling_ms = requirements.max_latency_ms
    return None if ceiling_ms is None else live.quick_enough(members, ceiling_ms, now)


def why_not_now(field: Field, index: int, reachable: Reachable | None) -> DropReason | None:
    """Why an eligible candidate may not be tried at this moment; None when it may."""
    state = field.live.targets[index]
    if not state.usable(field.now):
        return state.why_not(field.now)
    if reachable is not None and not reachable(field.table.targets[index]):
        return DropReason.UNREACHABLE
    return None
