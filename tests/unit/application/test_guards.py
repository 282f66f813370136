"""Guards judge what a request shows and what it cost, and stop whoever is named."""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from adapters.memory.stops import InMemoryStopStore
from adapters.memory.system import CountingIds
from adapters.memory.usage import InMemoryUsageLog
from adapters.wire.conversation_tails import WireTails
from application.guards import METERS_MAX, AgentGuards
from application.job import Attribution, Job
from application.request_event import event_of
from application.runtime import Runtime
from application.stops import StopBoard
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.manage_stops import ManageStops
from contracts.ports.usage import attempt
from domain.analytics.event import RequestEvent
from domain.errors import AgentStopped, InterchangeError
from domain.guards.policy import GuardPolicy
from domain.guards.repeated_calls import RepeatedCallRule
from domain.guards.spend_rate import SpendRateRule, SpendScope
from domain.guards.stop import NewStop, StopCause, StopSubject
from domain.routing.requirements import Requirements
from domain.tenancy.role import local_operator
from tests.unit.application.at_once import at_once
from tests.unit.application.upstreams import OK, Bench, virtually

A = "alpha/m"
LOOPS = GuardPolicy(repeated_tool_call=RepeatedCallRule(times=3))


def conversation(calls: Sequence[str]) -> list[dict[str, Any]]:
    """The user's question, then a call and its result per name."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    for number, name in enumerate(calls):
        call = {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        messages.append({"role": "assistant", "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": "nothing"})
    return messages


class World:
    """The pipeline with guards, over a bench."""

    def __init__(self, policy: GuardPolicy, **route: Any) -> None:
        self.bench = Bench({A: OK}, **route)
        self.store = InMemoryStopStore()
        self.board = StopBoard(self.store, self.bench.clock)
        self.guards = AgentGuards(self.board, WireTails(), self.bench.clock, CountingIds(), policy)
        self.manage = ManageStops(self.board, self.bench.clock, CountingIds())
        self.events: list[RequestEvent] = []
        self.pipeline = AnswerLlmRequest(
            runtime=Runtime(self.bench._table, self.bench.live),
            attempts=self.bench.loop,
            usage_log=InMemoryUsageLog(buffer_rows_max=10_000),
            clock=self.bench.clock,
            ids=CountingIds(),
            chance=random.Random(1),
            slots_max=10,
            observe=self.events.append,
            guards=self.guards,
        )

    def begin(self, calls: Sequence[str] = (), **who: Any) -> Job:
        request = self.bench.job().request
        request.model = "auto"
        request.body = json.dumps({"model": "auto", "messages": conversation(calls)}).encode()
        job, _ = at_once(self.pipeline.begin(local_operator(), request, Requirements(), Attribution(**who)))
        return job

    def spend(self, nano_usd: int, **who: str) -> None:
        """One request that cost so much."""
        job = self.begin(**who)
        job.attempts.append(attempt(job.request_id, 0, cost_nano_usd=nano_usd))
        self.pipeline.end(job, status=200, outcome="ok")

    def stopped(self, calls: Sequence[str] = (), **who: Any) -> AgentStopped:
        with pytest.raises(InterchangeError) as caught:
            self.begin(calls, **who)
        assert isinstance(caught.value, AgentStopped)
        last = self.events[-1]
        assert (last.outcome, last.error_code, last.attempts) == ("refused", "agent_stopped", ())
        assert self.pipeline.in_flight == 0
        return caught.value


@virtually
async def test_a_loop_stops_the_agent_in_its_session_and_nobody_else() -> None:
    world = World(LOOPS)
    world.pipeline.end(world.begin("aa", agent_id="x", session_id="s"), status=200, outcome="ok")

    error = world.stopped("aaa", agent_id="x", session_id="s")

    assert error.details["cause"] == "repeated_tool_call"
    assert "'a' was called 3 times with the same arguments" in error.message
    world.stopped("b", agent_id="x", session_id="s")
    for who in ({"agent_id": "x", "session_id": "t"}, {"agent_id": "y", "session_id": "s"}, {}):
        world.pipeline.end(world.begin("b", **who), status=200, outcome="ok")
    assert world.board.made[StopCause.REPEATED_TOOL_CALL] == 1


@virtually
async def test_after_lifting_the_same_conversation_goes_on_until_it_loops_again() -> None:
    world = World(LOOPS)
    who = {"agent_id": "x", "session_id": "s"}
    error = world.stopped("aaa", **who)
    await world.board.refresh()

    await world.manage.lift(local_operator(), str(error.details["stop_id"]))

    for calls in ("aaa", "aaab", "aaaba", "aaabaa"):
        world.pipeline.end(world.begin(calls, **who), status=200, outcome="ok")
    again = world.stopped("aaabaaa", **who)
    assert again.details["stop_id"] != error.details["stop_id"]


@virtually
async def test_a_stop_of_a_guard_ends_by_itself_and_is_not_made_again_for_the_same() -> None:
    world = World(LOOPS)
    world.stopped("aaa", session_id="s")
    await world.board.refresh()

    await asyncio.sleep(LOOPS.stop_for_s)

    for calls in ("aaa", "aaaa"):
        world.pipeline.end(world.begin(calls, session_id="s"), status=200, outcome="ok")
    world.stopped("aaaaaa", session_id="s")


@virtually
async def test_who_names_neither_agent_nor_session_is_refused_this_once() -> None:
    world = World(LOOPS)

    error = world.stopped("aaa", user_id="u")

    assert "nobody is stopped" in error.message and "stop_id" not in error.details
    assert not world.board.anybody
    world.pipeline.end(world.begin("ab", user_id="u"), status=200, outcome="ok")


@virtually
async def test_too_many_steps_without_the_user_stop_too() -> None:
    world = World(GuardPolicy(steps_without_user=4))
    world.pipeline.end(world.begin("abc", agent_id="x"), status=200, outcome="ok")

    assert world.stopped("abcd", agent_id="x").details["cause"] == "steps_without_user"


@pytest.mark.parametrize(
    ("scope", "named", "free"),
    [
        (SpendScope.AGENT, {"agent_id": "x"}, {"agent_id": "y", "session_id": "s"}),
        (SpendScope.SESSION, {"session_id": "s"}, {"session_id": "t", "agent_id": "x"}),
        (SpendScope.USER, {"user_id": "u"}, {"user_id": "v"}),
        (SpendScope.WORKFLOW, {"workflow_id": "w"}, {"agent_id": "x"}),
    ],
)
def test_who_spends_too_fast_is_stopped(
    scope: SpendScope, named: dict[str, str], free: dict[str, str]
) -> None:
    @virtually
    async def run() -> None:
        rule = SpendRateRule(limit_nano_usd=100, per_s=60, scope=scope)
        world = World(GuardPolicy(spend_rate=rule, stop_for_s=60))
        world.spend(60, **named)
        world.spend(1000)
        world.spend(40, **named)
        world.spend(90, **free)
        assert not world.board.anybody, "the limit itself is allowed"

        world.spend(1, **named)

        assert world.stopped(**named).details["cause"] == "spend_rate"
        world.pipeline.end(world.begin(**free), status=200, outcome="ok")

    run()


@virtually
async def test_after_lifting_spending_is_counted_anew() -> None:
    world = World(GuardPolicy(spend_rate=SpendRateRule(limit_nano_usd=100, per_s=60)))
    world.spend(101, agent_id="x")
    error = world.stopped(agent_id="x")
    await world.board.refresh()

    await world.manage.lift(local_operator(), str(error.details["stop_id"]))

    world.spend(100, agent_id="x")
    world.spend(1, agent_id="x")
    world.stopped(agent_id="x")


@virtually
async def test_what_is_unknown_or_free_spends_nothing_and_meters_are_bounded() -> None:
    world = World(GuardPolicy(spend_rate=SpendRateRule(limit_nano_usd=0, per_s=60)))
    world.pipeline.end(world.begin(agent_id="x"), status=200, outcome="ok")
    assert not world.board.anybody
    world.guards.use(GuardPolicy(spend_rate=SpendRateRule(limit_nano_usd=10, per_s=60)))
    job = world.begin(agent_id="x")
    job.attempts.append(attempt(job.request_id, 0, cost_nano_usd=1))
    event = event_of(job, 0.0, status=200, outcome="ok", error_code="")
    for number in range(METERS_MAX + 3):
        world.guards.ended(job, event._replace(agent_id=f"agent {number}"))

    assert len(world.guards._meters) == METERS_MAX


@virtually
async def test_a_routes_own_guards_go_before_the_general_ones() -> None:
    strict = World(GuardPolicy(), guards=LOOPS)
    lenient = World(LOOPS, guards=GuardPolicy())

    strict.stopped("aaa", agent_id="x")
    lenient.pipeline.end(lenient.begin("aaa", agent_id="x"), status=200, outcome="ok")


@virtually
async def test_a_stop_ends_the_running_requests_of_whoever_it_covers_where_that_was_asked() -> None:
    world = World(GuardPolicy())
    await world.board.refresh()
    halted: list[InterchangeError] = []
    jobs = [world.begin(agent_id=name) for name in ("x", "x", "y")]
    for job in jobs[1:]:
        job.halt = halted.append

    await world.manage.make(
        local_operator(),
        NewStop(tenant_id="default", subject=StopSubject(agent_id="x"), ends_running=True),
    )

    (error,) = halted
    assert isinstance(error, AgentStopped) and "agent 'x'" in error.message
    for job in jobs:
        world.pipeline.end(job, status=200, outcome="ok")
    assert world.guards._running == {}


@virtually
async def test_a_request_that_is_over_in_any_way_is_forgotten() -> None:
    world = World(LOOPS)
    world.pipeline.abandon(world.begin(agent_id="x"))
    world.stopped("aaa", agent_id="x")

    assert world.guards._running == {}
