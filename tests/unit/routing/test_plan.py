"""Plans: hard demands, refusals, fallbacks, spares, and that the explanation tells the same story."""

from typing import Any

import pytest

from domain.catalog.prices import UNKNOWN_PRICES
from domain.errors import (
    Forbidden,
    InvalidRequirements,
    NoProviderAvailable,
    ResidencyViolation,
)
from domain.llm.capabilities import Capability
from domain.resilience.breaker import BreakerState
from domain.routing.explanation import explain
from domain.routing.filters import DropReason
from domain.routing.health import HealthState
from domain.routing.live import LiveState
from domain.routing.plan import Plan, make_plan
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route
from tests.unit.routing._world import TEXT, USD_PER_MTOK, live_of, open_breaker, priced, table_of, target


def plan(
    table: RoutingTable,
    live: LiveState | None = None,
    *,
    model: str = "auto",
    now: float = 0.0,
    draw: float = 0.0,
    reachable: Any = None,
    **needs: Any,
) -> Plan:
    route = table.resolve(model)
    live = live or live_of(table)
    return make_plan(table, route, Requirements(**needs), live, now=now, draw=draw, reachable=reachable)


def ids(made: Plan) -> list[str]:
    return [one.id for one in made.targets]


# Hard demands


def test_a_demanded_capability_drops_those_without_it() -> None:
    table = table_of(target("a/text"), target("b/eyes", capabilities=TEXT | Capability.VISION))
    assert ids(plan(table, capabilities=Capability.VISION)) == ["b/eyes"]
    with pytest.raises(InvalidRequirements, match="not capable of audio_out") as caught:
        plan(table, capabilities=Capability.AUDIO_OUT)
    assert caught.value.param == "capabilities"
    assert caught.value.details["reason"] == "capability"


def test_a_request_must_fit_the_context_window_and_an_unknown_window_is_tried() -> None:
    table = table_of(
        target("a/short", context=8_000), target("b/long", context=100_000), target("c/x", context=None)
    )
    assert set(ids(plan(table, input_tokens=7_000, output_tokens=2_000))) == {"b/long", "c/x"}
    assert ids(plan(table, input_tokens=99_000, output_tokens=2_000)) == ["c/x"]
    with pytest.raises(InvalidRequirements, match="9000 tokens"):
        plan(table, model="a/short", input_tokens=7_000, output_tokens=2_000)


def test_residency_is_where_the_target_is_known_to_answer_from() -> None:
    table = table_of(
        target("a/eu", region="eu-west"),
        target("b/us", region="us-east", regions=["eu-west"]),
        target("c/only-eu", regions=["eu-west"]),
        target("d/many", regions=["eu-west", "us-east"]),
        target("e/unknown"),
    )
    assert set(ids(plan(table, residency="eu-west"))) == {"a/eu", "c/only-eu"}
    assert plan(table, residency="global").candidates == 5
    with pytest.raises(ResidencyViolation, match="answer from apac") as caught:
        plan(table, residency="apac")
    assert caught.value.param == "data_residency"


def test_an_unknown_region_lists_the_known_ones_an_operators_own_included() -> None:
    table = table_of(target("a/b", region="mars-north"))
    with pytest.raises(InvalidRequirements, match=r"us-east.*mars-north"):
        plan(table, residency="atlantis")
    assert ids(plan(table, residency="mars-north")) == ["a/b"]


def test_compliance_tags_must_all_be_there() -> None:
    table = table_of(target("a/b", compliance=["hipaa"]), target("c/d", compliance=["HIPAA", "pci-dss"]))
    assert ids(plan(table, compliance=frozenset({"hipaa", "PCI-DSS"}))) == ["c/d"]
    with pytest.raises(ResidencyViolation, match="marked for fedramp"):
        plan(table, compliance=frozenset({"fedramp"}))


def test_tags_and_quality_floor_drop_the_unknown() -> None:
    table = table_of(target("a/b", tags=["fast"], quality=0.5), target("c/d", quality=0.9), target("e/f"))
    assert ids(plan(table, tags=frozenset({"fast"}))) == ["a/b"]
    assert ids(plan(table, quality_floor=0.6)) == ["c/d"]
    with pytest.raises(InvalidRequirements, match=r"below 0\.95"):
        plan(table, quality_floor=0.95)


def test_a_cost_ceiling_drops_the_dear_and_the_unpriced() -> None:
    table = table_of(
        target("a/cheap", prices=priced(1, 1)),
        target("b/dear", prices=priced(30, 60)),
        target("c/unpriced", prices=UNKNOWN_PRICES),
    )
    needs: Any = {"input_tokens": 1000, "output_tokens": 1000}
    assert ids(plan(table, max_cost_nano_usd_per_mtok=2 * USD_PER_MTOK, **needs)) == ["a/cheap"]
    assert ids(plan(table, max_cost_nano_usd=2_000_000, **needs)) == ["a/cheap"]
    with pytest.raises(InvalidRequirements, match="dearer than the ceiling") as caught:
        plan(table, max_cost_nano_usd=1_999_999, **needs)
    assert caught.value.param == "max_cost_usd"
    with pytest.raises(InvalidRequirements, match="unknown price"):
        plan(table, model="c/unpriced", max_cost_nano_usd_per_mtok=10**15)


def test_a_latency_ceiling_drops_those_predicted_to_be_slower_and_keeps_the_unknown() -> None:
    table = table_of(target("a/slow"), target("b/new"))
    live = live_of(table)
    for _ in range(20):
        live.targets[0].latency.observe(5.0, 0.0)
    assert ids(plan(table, live, max_latency_ms=2_000)) == ["b/new"]
    with pytest.raises(InvalidRequirements, match="p95 above 2000 ms") as caught:
        plan(table, live, model="a/slow", max_latency_ms=2_000)
    assert caught.value.param == "max_latency_ms"
    assert len(plan(table, live, max_latency_ms=2_000, now=700.0).targets) == 2


@pytest.mark.parametrize("allowed", [{"auto"}, {"*"}, {"a/*", "c/d"}, {"a/b", "c/d"}])
def test_an_allow_list_names_routes_targets_and_providers(allowed: set[str]) -> None:
    table = table_of(target("a/b"), target("c/d"), target("c/e"))
    made = plan(table, allowed_models=frozenset(allowed))
    assert {"a/b", "c/d"} <= set(ids(made))
    assert made.candidates == (3 if allowed & {"auto", "*"} else 2)


def test_a_key_that_may_use_none_of_it_is_forbidden() -> None:
    table = table_of(target("a/b"), target("c/d", capabilities=TEXT | Capability.VISION))
    with pytest.raises(Forbidden, match="may not use 'auto'"):
        plan(table, allowed_models=frozenset({"x/*"}))
    with pytest.raises(Forbidden, match="do not fit"):
        plan(table, allowed_models=frozenset({"a/*"}), capabilities=Capability.VISION)
    with pytest.raises(InvalidRequirements):
        plan(table, allowed_models=frozenset({"a/*"}), capabilities=Capability.IMAGE)


def test_a_capability_missing_everywhere_is_no_residency_matter() -> None:
    table = table_of(target("a/b", region="us-east"))
    with pytest.raises(InvalidRequirements):
        plan(table, residency="eu-west", capabilities=Capability.IMAGE)


def test_an_unknown_strategy_lists_the_known_ones() -> None:
    with pytest.raises(InvalidRequirements, match="balanced, cost, cost_per_quality, geographic"):
        plan(table_of(target("a/b")), strategy="astrology")


# The present


def test_an_open_breaker_is_left_out_and_alone_it_is_a_refusal_with_its_reopening() -> None:
    table = table_of(target("a/b"), target("c/d"))
    live = live_of(table)
    open_breaker(live, 0, 0.0)
    assert ids(plan(table, live, now=10.0)) == ["c/d"]
    with pytest.raises(NoProviderAvailable, match="1 breaker_open") as caught:
        plan(table, live, model="a/b", now=10.0)
    assert caught.value.retry_after_s == 20.0
    assert ids(plan(table, live, model="a/b", now=30.0)) == ["a/b"]


def test_the_earliest_return_is_what_a_refused_caller_is_told() -> None:
    table = table_of(target("a/b"), target("c/d"), target("e/f"))
    live = live_of(table)
    open_breaker(live, 0, 0.0)
    live.targets[1].cool_down(12.0)
    live.targets[1].cool_down(7.0)
    live.providers["e"].disabled = True
    with pytest.raises(NoProviderAvailable, match="1 breaker_open, 1 cooling_down, 1 disabled") as caught:
        plan(table, live, now=5.0)
    assert caught.value.retry_after_s == 7.0
    live.targets[1].provider.health.force(HealthState.MAINTENANCE)
    live.targets[0].breaker.force_open()
    with pytest.raises(NoProviderAvailable) as caught:
        plan(table, live, now=5.0)
    assert caught.value.retry_after_s is None


def test_an_unavailable_provider_is_left_alone_for_its_hold_only() -> None:
    table = table_of(target("a/b"))
    live = live_of(table)
    for _ in range(10):
        live.providers["a"].health.record(False, 0.1, 0.0)
    with pytest.raises(NoProviderAvailable, match="unhealthy") as caught:
        plan(table, live, now=10.0)
    assert caught.value.retry_after_s == 20.0
    assert ids(plan(table, live, now=30.0)) == ["a/b"]


def test_a_target_that_no_way_leads_to_is_left_out() -> None:
    table = table_of(target("a/b"), target("c/d"))
    assert ids(plan(table, reachable=lambda one: one.provider == "c")) == ["c/d"]
    with pytest.raises(NoProviderAvailable, match="2 unreachable"):
        plan(table, reachable=lambda one: False)


# Fallbacks and spares


def test_a_plan_holds_the_first_choice_and_the_routes_fallbacks() -> None:
    table = table_of(
        *(target(f"p/{n}", prices=priced(n, n)) for n in range(1, 8)), strategy="cost", max_fallbacks=2
    )
    made = plan(table)
    assert ids(made) == ["p/1", "p/2", "p/3"]
    assert (made.strategy, made.candidates, made.route.name) == ("cost", 7, "auto")


def test_spares_have_a_larger_window_than_the_first_choice() -> None:
    table = table_of(
        target("a/first", prices=priced(1, 1), context=8_000),
        target("b/same", prices=priced(2, 2), context=8_000),
        target("c/larger", prices=priced(3, 3), context=100_000),
        target("d/unknown", prices=priced(4, 4), context=None),
        target("e/largest", prices=priced(5, 5), context=900_000),
        strategy="cost",
        max_fallbacks=1,
    )
    made = plan(table)
    assert ids(made) == ["a/first", "b/same"]
    assert [one.id for one in made.spares] == ["c/larger", "e/largest"]


def test_far_down_the_ranking_the_largest_windows_are_spares() -> None:
    small = [target(f"p/{n}", prices=priced(n, n), context=8_000) for n in range(1, 40)]
    large = [target(f"q/{n}", prices=priced(99, 99), context=n * 100_000) for n in range(1, 6)]
    made = plan(table_of(*small, *large, strategy="cost"))
    assert [one.id for one in made.spares] == ["q/5", "q/4", "q/3"]


def test_without_a_known_window_there_are_no_spares() -> None:
    table = table_of(target("a/b", context=None), target("c/d"), strategy="priority", max_fallbacks=0)
    assert plan(table).spares == ()


# Explanations


def test_an_explanation_gives_reasons_costs_and_states() -> None:
    table = table_of(
        target("a/good", prices=priced(1, 2), region="eu-west"),
        target("b/open", region="eu-west"),
        target("c/far", prices=UNKNOWN_PRICES, region="apac"),
    )
    live = live_of(table)
    open_breaker(live, 1, 0.0)
    live.targets[0].ttft.observe(0.25, 0.0)
    needs = Requirements(input_tokens=100, output_tokens=50, residency="eu-west")
    told = explain(
        table, table.resolve("auto"), needs, live, now=0.0, draw=0.0, input_bytes=1_000, max_output_tokens=500
    )
    good, far, held = told.candidates[0], told.candidates[2], told.candidates[1]
    assert (good.target_id, good.rank, good.sentence) == ("a/good", 0, "first choice")
    assert (good.estimated_cost_nano_usd, good.worst_cost_nano_usd) == (200_000, 2_000_000)
    assert (good.first_token_ms, good.predicted_p95_ms) == (250.0, None)
    assert (held.reason, held.breaker) == (DropReason.BREAKER_OPEN, BreakerState.OPEN)
    assert (far.reason, far.estimated_cost_nano_usd) == (DropReason.RESIDENCY, None)
    assert far.sentence == "dropped: not known to answer from eu-west"
    assert (told.input_tokens, told.output_tokens, told.attempts_max) == (100, 50, 1)


def test_an_explanation_may_be_limited_and_still_counts_all() -> None:
    table = table_of(*(target(f"p/{n}", region="eu-west" if n < 5 else "apac") for n in range(12)))
    route, needs = table.resolve("auto"), Requirements(residency="eu-west")
    told = explain(table, route, needs, live_of(table), now=0.0, draw=0.0, limit=3)
    assert [one.rank for one in told.candidates] == [0, 1, 2]
    assert (told.kept, told.dropped) == (5, {DropReason.RESIDENCY: 7})


def test_a_route_without_targets_can_satisfy_nobody() -> None:
    table = RoutingTable.compile([], {"empty": Route(name="empty", targets=())})
    with pytest.raises(InvalidRequirements, match="has no targets"):
        plan(table, model="empty")
