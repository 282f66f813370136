"""What a plan says of the targets it left out is what an explanation of the same decision says."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings

from domain.errors import InterchangeError
from domain.llm.capabilities import Capability
from domain.routing.explanation import explain
from domain.routing.filters import PASSING_REASONS, DropReason
from domain.routing.live import LiveState
from domain.routing.plan import make_plan
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from tests.unit.routing._world import TEXT, live_of, open_breaker, table_of, target
from tests.unit.routing.test_plan_properties import situations


@settings(max_examples=120, deadline=None)
@given(situation=situations())
def test_every_demand_counts_as_an_explanation_counts_it(
    situation: tuple[RoutingTable, LiveState, Requirements, float],
) -> None:
    table, live, needs, draw = situation
    route = table.resolve("auto")
    try:
        made = make_plan(table, route, needs, live, now=10.0, draw=draw)
    except InterchangeError:
        return
    told = Counter(explain(table, route, needs, live, now=10.0, draw=draw).dropped)
    told[DropReason.COST_CEILING] += told.pop(DropReason.UNPRICED, 0)
    found = dict(made.left_out)

    for reason in DropReason:
        if reason in PASSING_REASONS:
            assert found.get(reason, 0) <= told[reason], "as far down the ranking as was looked"
        elif reason is not DropReason.UNPRICED:
            assert found.get(reason, 0) == told[reason], reason


def test_a_target_whose_breaker_is_open_is_counted_as_left_out() -> None:
    table = table_of(target("a/m"), target("b/m"), target("c/m", capabilities=TEXT | Capability.VISION))
    live = live_of(table)
    open_breaker(live, 0, 0.0)

    made = make_plan(table, table.resolve("auto"), Requirements(), live, now=0.0, draw=0.0)

    assert made.left_out == ((DropReason.BREAKER_OPEN, 1),)


@pytest.mark.parametrize("tenant_id", ["", "acme"])
def test_what_another_tenant_has_alone_is_never_counted(tenant_id: str) -> None:
    table = table_of(target("a/m"), replace(target("b/m"), tenant_id="other"), target("c/m"))

    made = make_plan(
        table, table.resolve("auto"), Requirements(tenant_id=tenant_id), live_of(table), now=0.0, draw=0.0
    )

    assert made.left_out == ()
