"""Advice, each with its evidence: given where it saves for sure, and not given where it could harm."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.ports.usage import attempt, usage_event
from domain.analytics.advising import RULES, recommendations_of
from domain.analytics.baseline import Group
from domain.analytics.estimate import Estimate
from domain.analytics.event import RequestEvent
from domain.analytics.facts import DaySpend, Facts, HourUse, QualityFact, SpenderFact
from domain.analytics.monthly import per_month
from domain.analytics.recommendation import Kind, Recommendation
from domain.analytics.rollup import DAY_US, roll_up
from domain.catalog.offering import Offering
from domain.catalog.prices import PriceTable, Rates
from domain.llm.capabilities import Capability
from domain.routing.target import Route, RouteTarget, Target

CHAT = Capability.TEXT | Capability.STREAMING | Capability.FUNCTION_CALLING
FROM_US = 1_767_225_600_000_000
TO_US = FROM_US + 30 * DAY_US


def target(index: int, model: str, mtok_nano: int, **changes: Any) -> Target:
    offering = Offering(
        provider="acme",
        model=model,
        prices=changes.pop(
            "prices", PriceTable(base=Rates(input=mtok_nano, output=4 * mtok_nano), source="file")
        ),
        capabilities=changes.pop("capabilities", CHAT),
        context_tokens=changes.pop("context_tokens", 128_000),
        quality=changes.pop("quality", None),
    )
    return Target(
        index=index,
        id=f"acme/{model}",
        provider="acme",
        model=model,
        offering=offering,
        wire="openai",
        **changes,
    )


LARGE = target(0, "large", 3_000_000_000)
SMALL = target(1, "small", 100_000_000)


def used(count: int = 100, **changes: Any) -> list[RequestEvent]:
    """1000 tokens in, 500 out, at the large one's price: 9,000,000 nano-dollars each."""
    values: dict[str, Any] = {
        "route": "assistant",
        "model": "large",
        "simulated": False,
        "input_tokens": 1000,
        "output_tokens": 500,
        "cost_nano_usd": 9_000_000,
        "finish_reason": "stop",
    }
    return [usage_event(number, **(values | changes)) for number in range(count)]


def facts(events: list[RequestEvent], *targets: Target, **changes: Any) -> Facts:
    groups = [
        Group(row.key.route, row.key.operation, row.key.provider, row.key.model, row.key.cache, row.sums)
        for row in roll_up(events)
    ]
    by_task: dict[str, list[Group]] = {}
    for row, group in zip(roll_up(events), groups, strict=True):
        by_task.setdefault(row.key.task, []).append(group)
    members = targets or (LARGE, SMALL)
    route = changes.pop(
        "route", Route(name="assistant", targets=tuple(RouteTarget(target=t) for t in members))
    )
    return Facts(
        tenant_id="acme",
        from_us=FROM_US,
        to_us=TO_US,
        groups=groups,
        task_groups=by_task,
        group_days={("assistant", "acme", "large"): [30_000_000] * 30},
        sample=events,
        targets=changes.pop("all_targets", members),
        routes={"assistant": route},
        **changes,
    )


def advised(found: Facts, kind: Kind | None = None) -> list[Recommendation]:
    return [one for one in recommendations_of(found, TO_US) if kind is None or one.kind is kind]


def test_a_cheaper_target_of_the_route_is_advised_with_its_saving() -> None:
    (move,) = advised(facts(used()), Kind.MOVE)

    assert move.saving is not None
    assert move.evidence["from"] == "acme/large"
    assert move.evidence["to"] == "acme/small"
    assert move.evidence["spent_usd"] == "0.9"
    assert move.evidence["would_have_cost"]["expected_usd"] == "0.03"
    assert move.evidence["saved_in_period"]["expected_nano_usd"] == 870_000_000
    assert move.saving.expected == 870_000_000
    assert move.saving.low == move.evidence["saved_in_period"]["low_nano_usd"], "every day was alike"
    assert "move acme/large to acme/small" in move.sentence
    assert "per month" in move.sentence


def test_the_same_use_gives_the_same_advice_under_the_same_id() -> None:
    first, second = advised(facts(used())), recommendations_of(facts(used(150)), TO_US + 5)

    assert [one.optimization_id for one in first] == [one.optimization_id for one in second]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"prices": PriceTable()}, id="no price is known"),
        pytest.param({"context_tokens": 1200}, id="too small a window"),
        pytest.param({"capabilities": Capability.TEXT}, id="it cannot stream"),
        pytest.param({"simulated": True}, id="it is simulated"),
    ],
)
def test_what_could_not_do_the_work_is_not_advised(other: dict[str, Any]) -> None:
    assert (
        advised(facts(used(streamed=True), LARGE, target(1, "small", 100_000_000, **other)), Kind.MOVE) == []
    )


def test_too_few_requests_say_nothing() -> None:
    assert advised(facts(used(19)), Kind.MOVE) == []


def test_a_saving_that_tokens_may_eat_up_is_not_advised() -> None:
    nearly = target(1, "nearly", 2_800_000_000)

    assert advised(facts(used(), LARGE, nearly), Kind.MOVE) == []


def test_a_worse_model_is_not_advised() -> None:
    good, bad = target(0, "large", 3_000_000_000, quality=0.9), target(1, "small", 1, quality=0.6)

    assert advised(facts(used(), good, bad), Kind.MOVE) == []


def test_what_was_learned_counts_more_than_what_is_declared() -> None:
    good, bad = target(0, "large", 3_000_000_000, quality=0.9), target(1, "small", 1, quality=0.6)
    learned = {"large": QualityFact(0.8, 0.82, 0.84, 400), "small": QualityFact(0.79, 0.81, 0.83, 400)}
    (move,) = advised(
        replace(facts(used(), good, bad), quality_of=lambda _route, _provider, model: learned[model]),
        Kind.MOVE,
    )

    assert move.evidence["quality"]["acme/small"]["learned"]["mean"] == 0.81


def learned_at(**means: float) -> Any:
    """`chat_small=0.8`: what was learned of 400 answers of the small one to chats."""

    def at(task: str, _provider: str, model: str) -> QualityFact | None:
        mean = means.get(f"{task}_{model}")
        return None if mean is None else QualityFact(mean - 0.03, mean, mean + 0.03, 400)

    return at


def two_tasks() -> list[RequestEvent]:
    chats = used(100, task="chat")
    return chats + [one._replace(request_id=f"{one.request_id}c") for one in used(60, task="code")]


def test_one_task_is_moved_where_the_other_model_is_worse_at_the_rest() -> None:
    known = learned_at(chat_large=0.8, chat_small=0.81, code_large=0.8, code_small=0.4)
    (move,) = advised(facts(two_tasks(), quality_at=known), Kind.MOVE)

    assert move.evidence["task"] == "chat"
    assert (move.evidence["requests"], move.evidence["spent_usd"]) == (100, "0.9")
    assert "let acme/small answer the chat requests of acme/large" in move.sentence
    assert move.evidence["quality"]["acme/small"]["learned"]["answers"] == 400
    assert "task=chat" in move.subject


def test_one_task_is_not_moved_before_enough_was_learned_of_both_at_it() -> None:
    worse = {"code_large": 0.8, "code_small": 0.4}
    for known in ({}, {"chat_large": 0.8}, {"chat_small": 0.8}, {"chat_large": 0.9, "chat_small": 0.8}):
        assert advised(facts(two_tasks(), quality_at=learned_at(**worse, **known)), Kind.MOVE) == [], known


def test_all_of_it_is_moved_where_no_task_is_shown_to_suffer() -> None:
    known = learned_at(chat_large=0.8, chat_small=0.81)
    (move,) = advised(facts(two_tasks(), quality_at=known), Kind.MOVE)

    assert "task" not in move.evidence
    assert move.evidence["requests"] == 160
    assert list(move.evidence["quality_by_task"]) == ["chat"]


def test_a_target_outside_the_route_has_to_be_all_the_present_one_is() -> None:
    def found(**changes: Any) -> list[Recommendation]:
        here = target(0, "large", 3_000_000_000, quality=0.8, region="eu-west")
        there = target(1, "small", 1, **({"quality": 0.8, "region": "eu-west"} | changes))
        route = Route(name="assistant", targets=(RouteTarget(target=here),))
        return advised(facts(used(), here, there, route=route), Kind.MOVE)

    assert [one.evidence["to"] for one in found()] == ["acme/small"]
    assert found(region="us-east") == []
    assert found(quality=None) == []
    assert found(capabilities=Capability.TEXT) == []
    assert found(context_tokens=None) == []


def test_callers_who_demand_a_place_are_not_moved_out_of_it() -> None:
    here = target(0, "large", 3_000_000_000, region="eu-west")
    there = target(1, "small", 1, region="us-east")

    assert advised(facts(used(demands="residency=eu-west"), here, there), Kind.MOVE) == []
    assert len(advised(facts(used(), here, there), Kind.MOVE)) == 1


def test_a_route_that_spends_and_caches_nothing_is_told_to_look() -> None:
    (cache,) = advised(facts(used(250), LARGE), Kind.CACHE)

    assert cache.saving is None
    assert "observe" in cache.sentence


def test_answers_that_end_at_the_limit_ask_for_a_higher_one() -> None:
    route = Route(name="assistant", targets=(RouteTarget(target=LARGE),), max_output_tokens=500)
    cut = facts(used(finish_reason="length"), LARGE, route=route)
    roomy = facts(used(), LARGE, route=replace(route, max_output_tokens=4000))

    assert [one.kind for one in advised(cut) if "max" in one.kind.value] == [Kind.RAISE_MAX_TOKENS]
    assert [one.kind for one in advised(roomy) if "max" in one.kind.value] == [Kind.LOWER_MAX_TOKENS]


def test_a_provider_that_fails_often_is_named_with_its_failures() -> None:
    events = used(60)
    failing = [
        event._replace(attempts=(attempt(event.request_id, 0, outcome="server_error", model="large"),))
        for event in events[:10]
    ]
    (found,) = advised(facts([*failing, *events[10:]]), Kind.UNRELIABLE_PROVIDER)

    assert (found.evidence["attempts"], found.evidence["failed"]) == (60, 10)
    assert found.evidence["kinds"] == {"server_error": 10}


def test_routes_nobody_uses_are_told_to_whoever_runs_the_installation() -> None:
    told = facts([], LARGE, routes_used=frozenset())

    assert [one.kind for one in advised(told)] == [Kind.UNUSED_ROUTE]
    assert advised(replace(told, routes_used=None)) == []
    assert advised(replace(told, from_us=TO_US - DAY_US)) == []
    (idle,) = advised(replace(told, routes_used=None, integrations={"crm": 0, "db": 4}))
    assert idle.kind is Kind.UNUSED_INTEGRATION


def test_requests_that_nobody_waits_for_could_be_batches() -> None:
    prices = PriceTable(base=Rates(input=1, output=1), batch_multiplier_percent=50)
    large = target(0, "large", 0, prices=prices, batch_api="openai")
    patient, waiting = used(120, agent_id="nightly"), used(120, agent_id="nightly", streamed=True)
    (batch,) = advised(facts(patient, large), Kind.BATCH)

    assert batch.saving is not None
    assert batch.saving.low == 0
    assert batch.evidence["batch_discount"] == 0.5
    assert advised(facts(waiting, large), Kind.BATCH) == []


def test_what_is_spent_steadily_could_be_committed_to() -> None:
    days = [DaySpend(f"2026-01-{day:02d}", "acme", 10_000_000_000) for day in range(1, 29)]
    (found,) = advised(facts([], LARGE, provider_days=days), Kind.COMMITMENT)

    assert found.saving == Estimate(0, 30_000_000_000, 60_000_000_000)
    assert found.evidence["daily_floor_usd"] == "10"
    assert advised(facts([], LARGE, provider_days=days[:20]), Kind.COMMITMENT) == []


def test_a_model_that_is_busy_at_nearly_all_hours_could_have_capacity_reserved() -> None:
    busy = [HourUse("acme", "large", 1_000_000_000, 60_000)] * 600
    peaks = [HourUse("acme", "large", 9_000_000_000, 600_000)] * 60

    (found,) = advised(facts([], LARGE, hours=[*busy, *peaks]), Kind.RESERVED_CAPACITY)

    assert found.saving == Estimate(0, 72_000_000_000, 144_000_000_000), "$720 a month, at up to 20 % off"
    assert "at least 1,000 tokens a minute, for $1.00 an hour (63% of all it gets)" in found.sentence
    assert "pays for itself below $1.00 an hour" in found.sentence
    assert (found.evidence["hours"], found.evidence["hours_with_use"]) == (720, 660)
    assert advised(facts([], LARGE, hours=busy), Kind.RESERVED_CAPACITY) == [], "idle in one hour of six"
    cheap = [one._replace(cost_nano_usd=100_000_000) for one in busy]
    assert advised(facts([], LARGE, hours=[*cheap, *peaks]), Kind.RESERVED_CAPACITY) == [], "$72 a month"


def test_a_key_unlike_all_others_is_named() -> None:
    spenders = [SpenderFact("key", f"key{number}", 100, 100_000 + number, 30) for number in range(9)]
    strange = SpenderFact("key", "strange", 100, 10_000_000, 30)

    (found,) = advised(facts([], LARGE, spenders=[*spenders, strange]), Kind.OUTLIER)
    assert found.evidence["key"] == "strange"
    assert advised(facts([], LARGE, spenders=spenders), Kind.OUTLIER) == []


def test_no_rule_says_anything_of_nothing() -> None:
    empty = Facts(tenant_id="acme", from_us=FROM_US, to_us=TO_US)

    assert [list(rule(empty)) for rule in RULES] == [[] for _ in RULES]


def test_a_month_is_less_sure_the_fewer_days_were_seen() -> None:
    period = Estimate(900, 1000, 1100)
    month = per_month(period, 30, [100] * 30)
    one_day = per_month(period, 1, [1000])

    assert (month.low, month.expected, month.high) == (900, 1000, 1100)
    assert one_day.expected == 30_000
    assert one_day.low < 0.01 * one_day.expected
    assert one_day.high >= 60_000
