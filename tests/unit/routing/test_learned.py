"""Routes that are ranked by what was learned of quality, beside those that are not."""

from dataclasses import replace

from domain.quality.policy import QualityPolicy
from domain.routing.learned import learned_table
from domain.routing.plan import make_plan
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget
from tests.unit.routing._world import live_of, table_of, target

LEARNED = {("a", "m"): 0.2, ("b", "m"): 0.7}


def table() -> RoutingTable:
    plain = table_of(target("a/m", quality=0.9), target("b/m", quality=0.5))
    members = tuple(RouteTarget(target=one) for one in plain.targets)
    declared = Route(name="declared", targets=members, strategy="quality")
    learned = replace(declared, name="learned", quality=QualityPolicy(sample=0.0, learned=True))
    return RoutingTable.compile(plain.targets, {"declared": declared, "learned": learned})


def order(of: RoutingTable, route: str) -> list[str]:
    plan = make_plan(of, of.routes[route], Requirements(), live_of(of), now=0.0, draw=0.5)
    return [one.id for one in plan.targets]


def test_only_the_route_that_asks_is_ranked_by_what_was_learned() -> None:
    made = table()
    assert order(made, "learned") == ["a/m", "b/m"]
    made.learned = learned_table(made, LEARNED)
    assert order(made, "learned") == ["b/m", "a/m"]
    assert order(made, "declared") == ["a/m", "b/m"]


def test_a_least_quality_is_held_against_what_was_learned() -> None:
    made = table()
    made.learned = learned_table(made, LEARNED)
    route = made.routes["learned"]
    plan = make_plan(made, route, Requirements(quality_floor=0.6), live_of(made), now=0.0, draw=0.5)
    assert [one.id for one in plan.targets] == ["b/m"]


def test_where_nothing_was_learned_or_nobody_asks_there_is_no_second_table() -> None:
    made = table()
    assert learned_table(made, {}) is None
    assert learned_table(made, {("c", "m"): 0.1}) is None
    assert learned_table(made, {("a", "m"): 0.9}) is None
    nobody = RoutingTable.compile(made.targets, {"declared": made.routes["declared"]})
    assert learned_table(nobody, LEARNED) is None
