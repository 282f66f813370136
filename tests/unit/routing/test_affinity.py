"""Conversations stay where their prompt cache is warm, unless moving is worth it or forced."""

from typing import Any

import pytest

from domain.llm.capabilities import Capability
from domain.routing.explanation import explain
from domain.routing.live import LiveState
from domain.routing.plan import Plan, make_plan
from domain.routing.prompt_cache import AffinityPolicy
from domain.routing.ranking import Recall
from domain.routing.requirements import Requirements
from domain.routing.strategies import STRATEGIES
from domain.routing.table import RoutingTable
from tests.unit.routing._talks import MARKED, cached_target, caching, place, talk
from tests.unit.routing._world import TEXT, live_of, open_breaker, table_of

SIZES: dict[str, Any] = {"input_tokens": 60_000, "output_tokens": 500}
NOW = 1000.0


def planned(
    table: RoutingTable,
    live: LiveState | None = None,
    *,
    recall: Recall | None = None,
    draw: float = 0.5,
    **needs: Any,
) -> Plan:
    return make_plan(
        table,
        table.resolve("auto"),
        Requirements(**{**SIZES, **needs}),
        live or live_of(table),
        now=NOW,
        draw=draw,
        recall=recall,
    )


def ids(plan: Plan) -> list[str]:
    return [target.id for target in plan.targets]


def pair(a_usd: float = 3.0, b_usd: float = 2.8, **settings: Any) -> RoutingTable:
    return table_of(cached_target("a/m", caching(a_usd)), cached_target("b/m", caching(b_usd)), **settings)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_warm_conversation_stays_under_every_strategy(strategy: str) -> None:
    for stays in ("a/m", "b/m"):
        for draw in (0.01, 0.3, 0.6, 0.99):
            plan = planned(pair(strategy=strategy), recall=talk(place(stays)), draw=draw)
            assert plan.targets[0].id == stays, (strategy, stays, draw)
            assert plan.verdict is not None and plan.verdict.outcome == "kept"
            assert sorted(ids(plan)) == ["a/m", "b/m"]


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_an_unusable_or_unfit_incumbent_is_left(strategy: str) -> None:
    table = pair(strategy=strategy)
    live = live_of(table)
    open_breaker(live, 0, NOW)
    moved = planned(table, live, recall=talk(place("a/m")))
    assert ids(moved) == ["b/m"]
    assert moved.verdict is not None
    assert moved.verdict == ("moved", "b/m: a/m cannot be used: its circuit breaker is open")

    seeing = table_of(
        cached_target("a/m", caching(1)),
        cached_target("b/m", caching(9), capabilities=TEXT | Capability.VISION),
        cached_target("c/m", caching(9), capabilities=TEXT | Capability.VISION),
        strategy=strategy,
    )
    forced = planned(seeing, recall=talk(place("a/m")), capabilities=Capability.VISION)
    assert "a/m" not in ids(forced)
    assert forced.verdict is not None and "does not satisfy this request" in forced.verdict.reason


def test_money_moves_when_cold_elsewhere_is_clearly_cheaper_than_warm_here() -> None:
    for strategy in ("cost", "cost_per_quality"):
        table = table_of(
            cached_target("dear/m", caching(10.0, 50.0), quality=0.9),
            cached_target("cheap/m", caching(0.1, 0.4), quality=0.9),
            strategy=strategy,
        )
        plan = planned(table, recall=talk(place("dear/m")))
        assert ids(plan)[0] == "cheap/m"
        assert plan.verdict is not None and plan.verdict.outcome == "moved"
        assert "better than dear/m" in plan.verdict.reason


def test_near_equals_do_not_flap() -> None:
    """Whoever has the conversation keeps it, also when its cache gives no discount at all."""
    table = table_of(
        cached_target("a/m", caching(3.0, read=3.0)), cached_target("b/m", caching(2.9, read=2.9)),
        strategy="cost",
    )  # fmt: skip
    assert ids(planned(table, recall=talk(place("a/m"))))[0] == "a/m"
    assert ids(planned(table, recall=talk(place("b/m"))))[0] == "b/m"
    assert ids(planned(table))[0] == "b/m"


def test_a_short_cold_or_unmarked_prefix_has_no_say() -> None:
    table = pair(strategy="cost")
    for known in (place("a/m", prefix=900), place("a/m", age_s=3 * 3600)):
        assert ids(planned(table, recall=talk(known)))[0] == "b/m"
    by_mark = table_of(
        cached_target("a/m", caching(3.0, write=3.75), MARKED), cached_target("b/m", caching(2.8)),
        strategy="cost",
    )  # fmt: skip
    assert ids(planned(by_mark, recall=talk(place("a/m"))))[0] == "b/m"
    assert ids(planned(by_mark, recall=talk(place("a/m"), marked=True)))[0] == "a/m"
    assert ids(planned(by_mark, recall=talk(place("a/m", age_s=400), marked=True)))[0] == "b/m"
    assert ids(planned(by_mark, recall=talk(place("a/m", age_s=400, long=True), marked=True)))[0] == "a/m"


def test_writing_a_cache_by_mark_counts_against_the_new_place() -> None:
    table = table_of(
        cached_target("writes/m", caching(2.0, write=4.0), MARKED), cached_target("plain/m", caching(3.0)),
        strategy="cost",
    )  # fmt: skip
    assert ids(planned(table, recall=talk()))[0] == "writes/m"
    assert ids(planned(table, recall=talk(marked=True)))[0] == "plain/m"


def test_the_operators_order_comes_back_when_going_home_costs_less_than_staying() -> None:
    dear_fallback = pair(1.0, 30.0, strategy="priority", members=[(0, 1.0, 0), (1, 1.0, 1)])
    assert ids(planned(dear_fallback, recall=talk(place("b/m"))))[0] == "a/m"
    like_fallback = pair(3.0, 3.0, strategy="priority", members=[(0, 1.0, 0), (1, 1.0, 1)])
    assert ids(planned(like_fallback, recall=talk(place("b/m"))))[0] == "b/m"
    assert ids(planned(like_fallback, recall=talk(place("b/m", age_s=7200))))[0] == "a/m"


def test_latency_and_quality_leave_for_what_is_clearly_better() -> None:
    table = pair(strategy="latency")
    for factor, expected in ((1.5, "a/m"), (3.0, "b/m")):
        live = live_of(table)
        live.targets[0].ttft.observe(0.5 * factor, NOW)
        live.targets[1].ttft.observe(0.5, NOW)
        assert ids(planned(table, live, recall=talk(place("a/m"))))[0] == expected
    for quality, expected in ((0.85, "a/m"), (0.95, "b/m")):
        good = table_of(
            cached_target("a/m", caching(3.0), quality=0.8),
            cached_target("b/m", caching(3.0), quality=quality),
            strategy="quality",
        )
        assert ids(planned(good, recall=talk(place("a/m"))))[0] == expected


def test_a_forced_move_prefers_an_older_place_that_is_still_warm() -> None:
    table = table_of(*(cached_target(f"{name}/m", caching(3.0)) for name in "abcd"), strategy="weighted")
    live = live_of(table)
    open_breaker(live, 1, NOW)
    for draw in (0.1, 0.4, 0.7, 0.95):
        plan = planned(table, live, recall=talk(place("b/m"), place("d/m", age_s=100)), draw=draw)
        assert ids(plan)[0] == "d/m"


def test_what_answers_teach_decides_over_the_prior() -> None:
    table = pair(strategy="cost")
    live = live_of(table)
    for _ in range(40):
        live.targets[0].caching.observe(0.0)
    assert ids(planned(table, live, recall=talk(place("a/m"))))[0] == "b/m"
    for _ in range(200):
        live.targets[0].caching.observe(1.0)
    assert ids(planned(table, live, recall=talk(place("a/m"))))[0] == "a/m"


def test_the_rules_numbers_are_the_routes() -> None:
    eager = pair(strategy="cost", affinity=AffinityPolicy(min_prefix_tokens=55_000))
    assert ids(planned(eager, recall=talk(place("a/m"))))[0] == "b/m"
    patient = pair(strategy="priority", affinity=AffinityPolicy(ttl_s=86_400))
    assert ids(planned(patient, recall=talk(place("b/m", age_s=40_000))))[0] == "b/m"


def test_an_explanation_shows_what_may_be_warm_and_agrees_with_the_plan() -> None:
    for strategy in sorted(STRATEGIES):
        table, recall = pair(strategy=strategy), talk(place("a/m"))
        shown = explain(
            table, table.resolve("auto"), Requirements(**SIZES), live_of(table), now=NOW, draw=0.5,
            recall=recall,
        )  # fmt: skip
        plan = planned(table, recall=recall)
        assert [c.target_id for c in shown.candidates] == ids(plan)
        assert shown.verdict == plan.verdict
        warm = shown.candidates[0]
        assert warm.prefix_tokens == 50_000 and warm.warm_probability == 0.9
        assert warm.effective_cost_nano_usd is not None and warm.estimated_cost_nano_usd is not None
        saved = warm.estimated_cost_nano_usd - warm.effective_cost_nano_usd
        assert saved == round(50_000 * 0.9 * 2_700)
        assert shown.candidates[1].warm_probability == 0.0


def test_without_a_choice_nobody_is_asked_for_the_conversation() -> None:
    table = table_of(cached_target("a/m", caching(3.0)))

    def refuse() -> None:
        raise AssertionError("there is nothing to choose")

    assert planned(table, recall=refuse).verdict is None
