"""A policy's choices for recorded requests, by the planner, and the use case around them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.memory.decision_log import InMemoryDecisionLog
from adapters.memory.system import SteppingClock
from application.policy_replay import (
    TARGETS_MAX,
    PolicyReplay,
    PolicyTarget,
    WrittenPolicy,
    route_of,
)
from application.ports.decision_log import RECORDS_MAX, DecisionLog, DecisionsWanted
from application.runtime import Runtime
from application.use_cases.backtest_policy import AT_ONCE_MAX, AskedBacktest, BacktestPolicy
from contracts.ports.decision_log import decided
from domain.backtest.judging import Refusal
from domain.backtest.record import Record
from domain.backtest.repricing import repriced
from domain.errors import Forbidden, InvalidRequest, Overloaded, StoreUnavailable, UnknownModel
from domain.experiments.experiment import Metric, Status, Unit
from domain.experiments.standing import Standing, StoppedArm
from domain.routing.live import LiveState
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, Target
from tests.unit.backtest.logs import record
from tests.unit.experiments.made import experiment
from tests.unit.experiments.test_managing import person
from tests.unit.routing._world import indexed, priced, target

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DAY_US = 86_400_000_000
NOW_US = int(NOW.timestamp()) * 1_000_000


def world() -> RoutingTable:
    made = indexed(
        [
            target("a/m", prices=priced(10, 10), quality=0.9),
            target("b/m", prices=priced(1, 40), quality=0.5),
            target("c/m", prices=priced(5, 5)),
        ]
    )
    made.append(replace(made[0], index=3, id="acme:own/m", provider="acme:own", tenant_id="acme"))
    routes = {
        "chat": _route("chat", "weighted", made[:2], (70, 30)),
        "cheap": _route("cheap", "cost", made[:2], (1, 1)),
        "quick": _route("quick", "latency", made[:2], (1, 1)),
        "first": _route("first", "weighted", made[:1], (1,)),
        "second": _route("second", "weighted", made[1:2], (1,)),
    }
    return RoutingTable.compile(made, routes)


def _route(name: str, strategy: str, targets: Sequence[Target], weights: Sequence[float]) -> Route:
    members = tuple(RouteTarget(target=t, weight=w) for t, w in zip(targets, weights, strict=True))
    return Route(name=name, targets=members, strategy=strategy)


def written(strategy: str, *targets: str) -> WrittenPolicy:
    return WrittenPolicy(strategy, tuple(PolicyTarget(name, 1.0, 0) for name in targets))


def replay(policy: WrittenPolicy | str, standings: Sequence[Standing] = ()) -> PolicyReplay:
    table = world()
    return PolicyReplay(table, table.routes["chat"], route_of(policy, table, "acme"), "acme", standings)


def test_shares_are_those_of_the_weights() -> None:
    assert replay("chat").chances(record()) == {"a/m": pytest.approx(0.7), "b/m": pytest.approx(0.3)}
    assert replay(written("weighted", "a/m", "c/m")).chances(record()) == {"a/m": 0.5, "c/m": 0.5}


def test_the_cheapest_depends_on_the_size_of_the_prompt() -> None:
    by_cost = replay("cheap")

    assert by_cost.chances(record(request_bytes=400)) == {"a/m": 1.0}
    assert by_cost.chances(record(request_bytes=4_000_000)) == {"b/m": 1.0}


def test_the_best_is_chosen_for_certain() -> None:
    assert replay(written("quality", "b/m", "a/m")).chances(record()) == {"a/m": 1.0}


@pytest.mark.parametrize("strategy", ["latency", "balanced"])
def test_what_depended_on_the_moment_cannot_be_replayed(strategy: str) -> None:
    with pytest.raises(InvalidRequest, match="not recorded") as refused:
        route_of(written(strategy, "a/m", "b/m"), world(), "acme")

    assert refused.value.param == "policy"
    assert ("that name none" in refused.value.message) is (strategy == "balanced")


@pytest.mark.parametrize("strategy", ["latency", "balanced"])
def test_of_one_target_nothing_depends_on_the_moment(strategy: str) -> None:
    policy = written(strategy, "a/m")

    assert route_of(policy, world(), "acme").strategy == strategy
    assert replay(policy).chances(record()) == {"a/m": 1.0}


def test_targets_that_are_not_there_or_are_anothers_are_refused() -> None:
    assert route_of(written("weighted", "own/m"), world(), "acme").targets[0].target.id == "acme:own/m"
    for tenant_id, name in (("acme", "nobody/m"), ("other", "own/m"), ("other", "acme:own/m")):
        with pytest.raises(InvalidRequest) as refused:
            route_of(written("weighted", "a/m", name), world(), tenant_id)
        assert refused.value.param == "policy.targets.1"
    with pytest.raises(UnknownModel):
        route_of("no such route", world(), "acme")


def test_policies_have_a_bound() -> None:
    with pytest.raises(InvalidRequest, match=str(TARGETS_MAX)):
        route_of(written("weighted", *["a/m"] * (TARGETS_MAX + 1)), world(), "acme")


def test_arms_have_the_shares_of_their_weights_until_one_is_stopped() -> None:
    standing = Standing(experiment=experiment(unit="user", owner="acme"), status=Status.RUNNING)
    arms = standing.experiment.arms
    inside = record(experiment=standing.experiment.experiment_id, arm=arms[0].name, started_at_us=1_000)
    stopped = replace(standing, stopped={arms[1].name: StoppedArm(at_us=1_000, why="w")})

    drawn = replay("chat", [standing]).arm(inside)

    assert drawn is not None
    assert drawn.share == pytest.approx(arms[0].weight / sum(each.weight for each in arms))
    assert drawn.unit is Unit.USER
    assert replay("chat", [stopped]).arm(inside) is None
    assert replay("chat", [stopped]).arm(inside._replace(started_at_us=999)) is not None
    assert replay("chat", [standing]).arm(inside._replace(arm="no such arm")) is None
    assert replay("chat").arm(inside) is None


def test_prices_are_of_each_requests_own_tier_and_size() -> None:
    found = repriced(
        [record(input_tokens=100, output_tokens=10), record(input_tokens=50, output_tokens=0)],
        "b/m",
        priced(1, 40),
    )

    assert found is not None
    assert (found.low, found.same, found.high) == (350_000, 550_000, 950_000)


class _Slow(DecisionLog):
    def __init__(self) -> None:
        self.asked = 0
        self.full = asyncio.Event()
        self.go = asyncio.Event()

    async def newest(self, wanted: DecisionsWanted, *, limit: int) -> Sequence[Record]:
        self.asked += 1
        if self.asked == AT_ONCE_MAX:
            self.full.set()
        await self.go.wait()
        return []


def use_case(log: DecisionLog) -> BacktestPolicy:
    table = world()
    clock = SteppingClock(utc=NOW)
    return BacktestPolicy(log, Runtime(table, LiveState(table)), clock, lambda: ())


def drawn(number: int, **changes: Any) -> Any:
    first = "a/m" if number % 10 < 7 else "b/m"
    values = {
        "planned": first,
        "propensity": 0.7 if first == "a/m" else 0.3,
        "started_at_us": NOW_US - DAY_US + number,
        "cost_nano_usd": 1_000 if first == "a/m" else 400,
    }
    return decided(number, **(values | changes))


async def test_a_backtest_reads_the_callers_own_requests_of_the_time() -> None:
    events = [drawn(number) for number in range(400)]
    events += [drawn(1_000 + number, tenant_id="other") for number in range(50)]
    events += [drawn(2_000, started_at_us=NOW_US - 8 * DAY_US)]
    backtest = use_case(InMemoryDecisionLog(lambda: events))

    found = await backtest(person(), AskedBacktest(route="chat", policy=written("weighted", "a/m", "b/m")))

    assert found.report.concluded
    assert (found.report.reading.requests, found.truncated) == (400, False)
    assert [each.metric for each in found.report.judgements] == [
        Metric.COST,
        Metric.LATENCY,
        Metric.ERRORS,
    ]
    cost = found.report.judgements[0].estimates
    assert cost is not None
    assert cost.dr.value == pytest.approx(700, rel=1e-3)
    assert (found.billed, found.billed_nano_usd) == (400, 280 * 1_000 + 120 * 400)
    assert [each.target_id for each in found.repriced] == ["a/m", "b/m"]


async def test_of_more_requests_the_newest_are_read_and_it_is_told() -> None:
    events = [drawn(number) for number in range(400)]
    backtest = use_case(InMemoryDecisionLog(lambda: events))

    found = await backtest(person(), AskedBacktest(route="chat", policy="chat", requests_max=100))

    assert (found.report.reading.requests, found.truncated) == (100, True)
    assert found.from_us == NOW_US - DAY_US + 300


async def test_of_the_most_requests_it_is_told_too_that_there_are_more() -> None:
    same = drawn(1)
    log = InMemoryDecisionLog(lambda: [same] * (RECORDS_MAX + 5))
    wanted = DecisionsWanted("acme", "chat", NOW_US - DAY_US, NOW_US)

    assert len(await log.newest(wanted, limit=RECORDS_MAX + 1)) == RECORDS_MAX + 1
    assert len(await log.newest(wanted, limit=RECORDS_MAX + 2)) == RECORDS_MAX + 1


async def test_quality_is_estimated_where_anybody_scored() -> None:
    events = [drawn(number) for number in range(400)]
    backtest = use_case(InMemoryDecisionLog(lambda: events, lambda event: [0.5]))

    found = await backtest(person(), AskedBacktest(route="chat", policy="chat"))

    assert found.report.judgements[-1].metric is Metric.QUALITY


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"requests_max": 0}, "requests_max"),
        ({"requests_max": RECORDS_MAX + 1}, "requests_max"),
        ({"from_us": 5, "to_us": 5}, "from"),
    ],
)
async def test_what_makes_no_sense_is_refused(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await use_case(InMemoryDecisionLog(list))(
            person(), AskedBacktest(route="chat", policy="chat", **changes)
        )

    assert refused.value.param == param


async def test_who_may_not_see_usage_may_not_ask() -> None:
    with pytest.raises(Forbidden):
        await use_case(InMemoryDecisionLog(list))(
            person(role="agent"), AskedBacktest(route="chat", policy="chat")
        )


async def test_a_store_that_is_away_is_told_and_holds_no_place() -> None:
    log = InMemoryDecisionLog(list)
    log.reachable = False
    backtest = use_case(log)
    for _ in range(AT_ONCE_MAX + 1):
        with pytest.raises(StoreUnavailable):
            await backtest(person(), AskedBacktest(route="chat", policy="chat"))

    log.reachable = True
    found = await backtest(person(), AskedBacktest(route="chat", policy="chat"))
    (objection,) = found.report.judgements[0].objections
    assert objection.refusal is Refusal.NO_REQUESTS


async def test_so_many_at_once_and_whoever_leaves_makes_room() -> None:
    log = _Slow()
    backtest = use_case(log)
    asked = AskedBacktest(route="chat", policy="chat")
    running = [asyncio.ensure_future(backtest(person(), asked)) for _ in range(AT_ONCE_MAX)]
    await log.full.wait()

    with pytest.raises(Overloaded):
        await backtest(person(), asked)
    running[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await running[0]
    log.go.set()

    assert (await backtest(person(), asked)).report.reading.requests == 0
    await asyncio.gather(*running[1:])
