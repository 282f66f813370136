"""How candidates are ranked."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.prices import UNKNOWN_PRICES, Rates, Tier, bill
from domain.llm.usage import Usage
from domain.routing.cheapest import cheapest_first, rounded_down
from domain.routing.draws import Draws
from domain.routing.filters import eligible
from domain.routing.live import LiveState
from domain.routing.plan import make_plan
from domain.routing.requirements import Requirements
from domain.routing.strategies import STRATEGIES, distance_ms
from domain.routing.table import RoutingTable
from tests.unit.routing._world import live_of, priced, table_of, target


def order(
    table: RoutingTable, strategy: str, *, live: LiveState | None = None, draw: float = 0.0, **needs: Any
) -> list[str]:
    requirements = Requirements(strategy=strategy, **needs)
    live = live or live_of(table)
    made = make_plan(table, table.resolve("auto"), requirements, live, now=0.0, draw=draw)
    return [one.id for one in made.targets]


def shares(
    table: RoutingTable, strategy: str, live: LiveState | None = None, draws: int = 1000
) -> dict[str, float]:
    """How often each target comes first, over evenly spread draws."""
    firsts = Counter(
        order(table, strategy, live=live, draw=(place + 0.5) / draws)[0] for place in range(draws)
    )
    return {name: count / draws for name, count in firsts.items()}


def test_cost_ranks_at_the_requests_sizes_and_the_unpriced_last() -> None:
    table = table_of(
        target("a/unpriced", prices=UNKNOWN_PRICES),
        target("b/cheap-in", prices=priced(1, 100)),
        target("c/cheap-out", prices=priced(10, 10)),
    )
    assert order(table, "cost", input_tokens=10_000, output_tokens=10) == [
        "b/cheap-in",
        "c/cheap-out",
        "a/unpriced",
    ]
    assert order(table, "cost", input_tokens=10, output_tokens=1_000) == [
        "c/cheap-out",
        "b/cheap-in",
        "a/unpriced",
    ]


def test_cost_sees_the_tier_a_long_prompt_falls_into_and_the_price_per_request() -> None:
    dear_when_long = Tier(above_input_tokens=50_000, rates=priced(9, 9).base)
    table = table_of(
        target("a/tiered", prices=priced(1, 1, dear_when_long)),
        target("b/flat", prices=priced(2, 2)),
        target("c/per-call", prices=priced(0, 0, per_request=150_000_000)),
    )
    assert order(table, "cost", input_tokens=50_000)[0] == "a/tiered"
    assert order(table, "cost", input_tokens=50_001)[0] == "b/flat"
    assert order(table, "cost", input_tokens=100_000)[0] == "c/per-call"


def test_quality_ranks_the_best_first_then_the_cheaper_and_the_unknown_last() -> None:
    table = table_of(
        target("a/unknown", prices=priced(0, 0)),
        target("b/good-dear", quality=0.9, prices=priced(9, 9)),
        target("c/good-cheap", quality=0.9, prices=priced(1, 1)),
        target("d/poor", quality=0.1),
    )
    assert order(table, "quality") == ["c/good-cheap", "b/good-dear", "d/poor", "a/unknown"]


def test_cost_per_quality_weighs_both() -> None:
    table = table_of(
        target("a/unknown", prices=priced(0, 0)),
        target("b/worthless", quality=0.0, prices=priced(0, 0)),
        target("c/bargain", quality=0.8, prices=priced(2, 2)),
        target("d/dear", quality=0.9, prices=priced(9, 9)),
    )
    assert order(table, "cost_per_quality")[:2] == ["c/bargain", "d/dear"]


def test_priority_goes_in_the_declared_order_of_each_priority() -> None:
    table = table_of(
        target("a/1"), target("b/2"), target("c/3"), members=[(2, 1.0, 1), (0, 1.0, 1), (1, 1.0, 0)]
    )
    assert order(table, "priority") == ["b/2", "c/3", "a/1"]


def test_weights_share_the_traffic() -> None:
    table = table_of(target("a/1"), target("b/2"), target("c/3"), members=[(0, 6.0), (1, 3.0), (2, 1.0)])
    assert shares(table, "weighted") == pytest.approx({"a/1": 0.6, "b/2": 0.3, "c/3": 0.1}, abs=0.002)


def test_even_weights_share_evenly() -> None:
    table = table_of(*(target(f"p/{n}") for n in range(4)))
    assert shares(table, "weighted") == pytest.approx({f"p/{n}": 0.25 for n in range(4)}, abs=0.002)


def test_what_is_left_after_a_weighted_draw_keeps_its_proportions() -> None:
    table = table_of(target("a/1"), target("b/2"), target("c/3"), members=[(0, 8.0), (1, 3.0), (2, 1.0)])
    seconds: Counter[str] = Counter()
    for place in range(4000):
        first, second, _ = order(table, "weighted", draw=(place + 0.5) / 4000)
        if first == "a/1":
            seconds[second] += 1
    assert seconds["b/2"] / seconds.total() == pytest.approx(0.75, abs=0.03)


def test_weight_zero_and_a_later_priority_stand_behind() -> None:
    table = table_of(
        target("a/zero"), target("b/some"), target("c/later"), members=[(0, 0.0, 0), (1, 1.0, 0), (2, 9.0, 1)]
    )
    assert {tuple(order(table, "weighted", draw=draw / 50)) for draw in range(50)} == {
        ("b/some", "a/zero", "c/later")
    }


def test_latency_takes_the_less_loaded_of_two() -> None:
    table = table_of(target("a/slow"), target("b/fast"))
    live = live_of(table)
    live.targets[0].ttft.observe(0.9, 0.0)
    live.targets[1].ttft.observe(0.3, 0.0)
    assert shares(table, "latency", live, draws=50) == {"b/fast": 1.0}
    live.targets[1].in_flight = 5
    assert shares(table, "latency", live, draws=50) == {"a/slow": 1.0}


def test_latency_spreads_over_the_better_ones_and_never_starts_with_the_worst() -> None:
    table = table_of(*(target(f"p/{n}") for n in range(6)))
    live = live_of(table)
    for place, state in enumerate(live.targets):
        state.ttft.observe(0.1 * (place + 1), 0.0)
    first = shares(table, "latency", live, draws=2000)
    # All 15 pairs are drawn equally often; the fastest wins 5 of them, the next one 4, and so on.
    expected = {f"p/{n}": (5 - n) / 15 for n in range(5)}
    assert first == pytest.approx(expected, abs=0.03)


def test_latency_respects_priorities() -> None:
    table = table_of(
        target("a/1"), target("b/2"), target("c/3"), members=[(0, 1.0, 1), (1, 1.0, 1), (2, 1.0, 0)]
    )
    assert shares(table, "latency", draws=50) == {"c/3": 1.0}


def test_geographic_goes_by_distance_from_home_then_by_cost() -> None:
    table = table_of(
        target("a/far", region="apac"),
        target("b/unknown"),
        target("c/near", region="eu-central"),
        target("d/here-dear", region="eu-west", prices=priced(9, 9)),
        target("e/here", region="eu-west"),
        home_region="eu-west",
        max_fallbacks=9,
    )
    assert order(table, "geographic") == ["e/here", "d/here-dear", "c/near", "a/far", "b/unknown"]
    assert order(table, "geographic", residency="eu-central") == ["c/near"]
    assert order(table, "geographic", residency="global")[0] == "e/here"


def test_geographic_without_any_home_goes_by_cost() -> None:
    table = table_of(target("a/far", region="apac", prices=priced(9, 9)), target("b/x"))
    assert order(table, "geographic") == ["b/x", "a/far"]


def test_distance_is_symmetric_and_nothing_is_nearer_than_here() -> None:
    assert distance_ms("eu-west", "eu-west") == 0
    assert distance_ms("eu-west", "us-east") == distance_ms("us-east", "eu-west") > 0
    assert (
        distance_ms("eu-west", None) == distance_ms("mars", "eu-west") > distance_ms("eu-west", "global") > 0
    )


def test_balanced_prefers_the_cheaper_when_all_else_is_equal() -> None:
    table = table_of(target("a/dear", prices=priced(3, 15)), target("b/cheap", prices=priced(0.1, 0.4)))
    assert order(table, "balanced") == ["b/cheap", "a/dear"]


def test_balanced_leaves_a_cheap_provider_that_fails() -> None:
    table = table_of(target("a/dear", prices=priced(2, 2)), target("b/cheap"))
    live = live_of(table)
    for place in range(20):
        live.providers["b"].health.record(place % 4 > 0, 1.0, 0.0)
    assert order(table, "balanced", live=live) == ["a/dear", "b/cheap"]


def test_balanced_weighs_priority_and_first_token_latency() -> None:
    table = table_of(target("a/1"), target("b/2"), members=[(0, 1.0, 1), (1, 1.0, 0)])
    assert order(table, "balanced") == ["b/2", "a/1"]
    level = table_of(target("a/1"), target("b/2"))
    live = live_of(level)
    live.targets[0].ttft.observe(4.0, 0.0)
    assert order(level, "balanced", live=live) == ["b/2", "a/1"]


def test_balanced_goes_on_past_its_first_shortlist() -> None:
    many = [target(f"p/{n}", prices=priced(n, n)) for n in range(1, 81)]
    for members in (None, [(n, 1.0, n % 2) for n in range(80)]):
        table = table_of(*many, members=members)
        live = live_of(table)
        for state in live.targets[:60]:
            state.cool_down(10.0)
        planned = order(table, "balanced", live=live)
        assert len(planned) == 4
        assert all(live.targets[table.by_id[name].index].usable(0.0) for name in planned)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("count", [1, 2, 7, 150])
def test_every_strategy_yields_every_candidate_once_and_the_same_again(strategy: str, count: int) -> None:
    table = table_of(
        *(
            target(
                f"p{n % 3}/{n}",
                prices=UNKNOWN_PRICES if n % 7 == 0 else priced(n % 11, n % 5),
                quality=None if n % 5 == 0 else n % 4 / 4,
                region=("eu-west", None, "apac")[n % 3],
            )
            for n in range(count)
        ),
        members=[(n, float(n % 4), n % 2) for n in range(count)],
        max_fallbacks=count,
        home_region="us-east",
    )
    first = order(table, strategy, draw=0.37)
    assert len(set(first)) == len(first) == count
    assert order(table, strategy, draw=0.37) == first


@settings(max_examples=30, deadline=None)
@given(
    rates=st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 3)), min_size=97, max_size=130
    ),
    input_tokens=st.integers(0, 5_000),
    output_tokens=st.integers(0, 3_000),
)
def test_a_large_route_is_ranked_exactly_by_the_bill(
    rates: list[tuple[int, int, int]], input_tokens: int, output_tokens: int
) -> None:
    cheaper_when_long = Tier(above_input_tokens=2_000, rates=Rates(input=10**9, output=10**9))
    table = table_of(
        *(
            target(
                f"p/{n}",
                prices=priced(
                    into / 8, out / 8, *([cheaper_when_long] if flat == 3 else []), per_request=flat * 10**4
                ),
            )
            for n, (into, out, flat) in enumerate(rates)
        )
    )
    route = table.resolve("auto")
    needs = Requirements(input_tokens=input_tokens, output_tokens=output_tokens)
    candidates = eligible(table, table.members(route), needs)
    ranked = list(cheapest_first(table, candidates))
    bills = [bill(table.targets[x].offering.prices, Usage(*candidates.sizes)) for x in ranked]
    assert sorted(ranked) == list(range(len(rates)))
    assert bills == sorted(bills, key=lambda cost: cost or 0)
    exact = table.costs(ranked, *candidates.sizes)
    assert list(zip(exact, ranked, strict=True)) == sorted(zip(exact, ranked, strict=True))


def test_the_orders_a_large_route_keeps_are_bounded() -> None:
    table = table_of(*(target(f"p/{n}", context=None) for n in range(100)))
    for exponent in range(20):
        for sixth in range(4, 8):
            order(table, "cost", input_tokens=sixth << exponent)
    assert 0 < len(table.members(table.resolve("auto")).cost_orders) <= 48


@given(tokens=st.integers(0, 10**9))
def test_rounded_sizes_are_at_most_a_fifth_lower(tokens: int) -> None:
    assert tokens * 4 <= rounded_down(tokens) * 5 <= tokens * 5


@given(draw=st.floats(0, 1, exclude_max=True), count=st.integers(1, 50))
def test_draws_out_of_one_draw_are_in_range_and_repeatable(draw: float, count: int) -> None:
    draws = Draws(draw)
    first, places = draws.next(), [draws.below(count) for _ in range(20)]
    assert first == draw
    assert all(0 <= place < count for place in places)
    again = Draws(draw)
    assert [again.next(), *(again.below(count) for _ in range(20))] == [first, *places]
