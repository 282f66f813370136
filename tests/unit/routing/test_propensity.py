"""The recorded chance of a choice is how often the same plan makes it, over its draws."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.resilience.breaker import BreakerPolicy
from domain.routing.conversation import Conversation, Place
from domain.routing.live import LiveState
from domain.routing.plan import make_plan
from domain.routing.prompt_cache import CacheHabit
from domain.routing.propensity import AMONG_MAX, PASSED_OVER_MAX, first_choices
from domain.routing.ranking import Ranking, rank
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, Target
from tests.unit.routing._world import target

NOW = 100.0
DRAWS = 500
DEMANDS = Requirements(input_tokens=100, output_tokens=100)


def world(
    strategy: str, weights: list[float], priorities: list[int] | None = None
) -> tuple[RoutingTable, Route, LiveState]:
    ranks = priorities or [0] * len(weights)
    targets = [replace(target(f"p{place}/m"), index=place) for place in range(len(weights))]
    members = tuple(
        RouteTarget(target=one, weight=weight, priority=priority)
        for one, weight, priority in zip(targets, weights, ranks, strict=True)
    )
    route = Route(name="r", targets=members, strategy=strategy)
    table = RoutingTable.compile(targets, {"r": route})
    return table, route, LiveState(table, breaker_policy=BreakerPolicy())


def chances(table: RoutingTable, route: Route, live: LiveState, **how: object) -> dict[str, float]:
    """How often each target is first, over many draws; and each plan tells the same."""
    counted: dict[str, int] = {}
    told: dict[str, float | None] = {}
    random = Random(7)
    for place in range(DRAWS):
        draw = min((place + random.random()) / DRAWS, 1 - 2**-53)
        plan = make_plan(table, route, DEMANDS, live, now=NOW, draw=draw, **how)  # type: ignore[arg-type]
        first = plan.targets[0].id
        counted[first] = counted.get(first, 0) + 1
        assert told.setdefault(first, plan.propensity) == plan.propensity
    seen = {name: count / DRAWS for name, count in counted.items()}
    for name, share in seen.items():
        assert told[name] == pytest.approx(share, abs=0.03), (name, told, seen)
    return seen


def ranked(table: RoutingTable, route: Route, live: LiveState) -> Ranking:
    ranking = rank(table, route, DEMANDS, live, now=NOW, draw=0.5)
    assert isinstance(ranking, Ranking)
    return ranking


weights = st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 7.0]), min_size=2, max_size=6)


@given(weights, st.data())
def test_chances_of_drawing_strategies_are_how_often_they_choose(
    wanted: list[float], data: st.DataObject
) -> None:
    strategy = data.draw(st.sampled_from(["weighted", "latency"]))
    priorities = data.draw(st.lists(st.integers(0, 1), min_size=len(wanted), max_size=len(wanted)))
    table, route, live = world(strategy, wanted, priorities)
    for state in live.targets:
        state.in_flight = data.draw(st.integers(0, 2))
    out = data.draw(st.sets(st.integers(0, len(wanted) - 1), max_size=len(wanted) - 1))
    for index in out:
        live.targets[index].cool_down(NOW + 10)

    seen = chances(table, route, live)

    found = first_choices(ranked(table, route, live))
    assert found is not None
    assert sum(found.values()) == pytest.approx(1.0)
    assert {table.targets[index].id for index in found} >= set(seen)
    for draw in (0.0, 0.2, 0.5, 0.8, 0.999):
        plan = make_plan(table, route, DEMANDS, live, now=NOW, draw=draw)
        assert plan.propensity == pytest.approx(found[plan.targets[0].index])


def test_who_cannot_be_reached_takes_no_share() -> None:
    table, route, live = world("weighted", [70, 20, 10])

    seen = chances(table, route, live, reachable=lambda one: one.id != "p1/m")

    assert seen["p0/m"] == pytest.approx(7 / 8, abs=0.01)


def conversation() -> Conversation:
    place = Place("p1/m", "", prefix_tokens=50_000, cached_tokens=50_000, long=False, used_at_us=0)
    return Conversation(key=b"", places=(place,), marked=False, now_us=1_000_000)


@pytest.mark.parametrize("strategy", ["weighted", "latency"])
def test_a_warm_conversation_stays_for_sure_unless_the_strategy_leaves_it(strategy: str) -> None:
    table, route, live = world(strategy, [70, 20, 10])
    habit = CacheHabit(prior=0.9, ttl_s=300)
    targets = [replace(one, prompt_cache=habit) for one in table.targets]
    members = tuple(replace(each, target=targets[each.target.index]) for each in route.targets)
    route = replace(route, targets=members)
    table = RoutingTable.compile(targets, {"r": route})
    demands = replace(DEMANDS, input_tokens=60_000)
    for place in range(100):
        plan = make_plan(table, route, demands, live, now=NOW, draw=place / 100, recall=conversation)
        assert plan.targets[0].id == "p1/m"
        assert plan.propensity == pytest.approx(1.0)

    live.targets[1].in_flight = 1_000
    for place in range(DRAWS // 40):
        plan = make_plan(
            table, route, demands, live, now=NOW, draw=place / (DRAWS // 40), recall=conversation
        )
        if strategy == "weighted":
            assert plan.targets[0].id == "p1/m"
            assert plan.propensity == pytest.approx(1.0)
        else:
            assert plan.targets[0].id != "p1/m"
            assert plan.propensity == pytest.approx(0.5)


@pytest.mark.parametrize("strategy", ["cost", "priority", "balanced", "quality"])
def test_what_draws_nothing_is_certain(strategy: str) -> None:
    table, route, live = world(strategy, [70, 30])

    plan = make_plan(table, route, DEMANDS, live, now=NOW, draw=0.3)

    assert plan.propensity == 1.0
    assert first_choices(ranked(table, route, live)) == {plan.targets[0].index: 1.0}


def test_one_target_is_certain() -> None:
    table, route, live = world("weighted", [70])

    assert make_plan(table, route, DEMANDS, live, now=NOW, draw=0.3).propensity == 1.0


def test_a_choice_among_too_many_is_not_told() -> None:
    table, route, live = world("weighted", [float(1 + place) for place in range(AMONG_MAX + 1)])

    assert make_plan(table, route, DEMANDS, live, now=NOW, draw=0.3).propensity is None


def test_a_pairwise_draw_that_passes_over_too_many_is_not_told() -> None:
    table, route, live = world("latency", [1.0] * (PASSED_OVER_MAX + 3))
    for state in live.targets[: PASSED_OVER_MAX + 1]:
        state.cool_down(NOW + 10)

    assert make_plan(table, route, DEMANDS, live, now=NOW, draw=0.3).propensity is None


@pytest.mark.parametrize("strategy", ["weighted", "latency"])
def test_telling_the_chance_asks_nobody_twice(strategy: str) -> None:
    table, route, live = world(strategy, [70, 20, 10])
    asked: list[str] = []

    def reachable(one: Target) -> bool:
        asked.append(one.id)
        return True

    make_plan(table, route, DEMANDS, live, now=NOW, draw=0.3, reachable=reachable)

    assert sorted(asked) == ["p0/m", "p1/m", "p2/m"]
