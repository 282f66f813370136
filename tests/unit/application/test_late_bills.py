"""Bills of answers made in the background are closed once, whoever sees them first."""

import json
from collections.abc import Callable

import pytest

from adapters.memory.stored_answers import InMemoryStoredAnswers
from adapters.memory.system import SteppingClock
from adapters.wire.kept_responses import ResponsesReading
from application.answer_memory import AnswerMemory
from application.ports.llm import UpstreamFailed
from application.ports.resources import ProviderResources, ResourceAnswer, ResourceRequest, ResourceStream
from application.ports.stored_answers import OpenBill, StoredAnswer
from application.runtime import Runtime
from application.use_cases.late_bills import UNRESOLVED, LateBills
from domain.llm.failures import Failure, FailureKind
from tests.unit.application.test_answer_llm_request import A, Pipeline
from tests.unit.application.upstreams import OK, Bench, virtually

USED = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}


class Account(ProviderResources):
    """Answers every request with what `says` says."""

    def __init__(self, says: Callable[[], ResourceAnswer]) -> None:
        self.says = says
        self.asked: list[ResourceRequest] = []

    def reaches(self, provider: str) -> bool:
        return True

    async def fetch(self, request: ResourceRequest) -> ResourceAnswer:
        self.asked.append(request)
        return self.says()

    async def open(self, request: ResourceRequest) -> ResourceStream:
        raise AssertionError("nothing is followed here")


def response(status: str, usage: object = None) -> ResourceAnswer:
    body = {"id": "resp_1", "object": "response", "status": status, "output": [], "usage": usage}
    return ResourceAnswer(200, (), json.dumps(body).encode(), "application/json", None)


def gone() -> ResourceAnswer:
    failure = Failure(kind=FailureKind.CALLER_FAULT, message="not found", status=404)
    return ResourceAnswer(404, (), b"{}", "application/json", failure)


class World:
    def __init__(self, says: Callable[[], ResourceAnswer]) -> None:
        self.pipeline = Pipeline(Bench({A: OK}))
        self.clock = SteppingClock()
        self.memory = AnswerMemory(InMemoryStoredAnswers(), self.clock, per_tenant_max=100)
        self.account = Account(says)
        self.reading = ResponsesReading()
        bench = self.pipeline.bench
        self.bills = LateBills(
            memory=self.memory,
            reading=self.reading,
            resources=self.account,
            runtime=Runtime(bench._table, bench.live),
            pipeline=self.pipeline.answer,
            clock=bench.clock,
        )
        now_us = self.memory.now_us()
        bill = OpenBill("req_1", "auto", "auto", user_id="ann", metadata="{}")
        self.entry = StoredAnswer(
            "acme", "resp_1", "key_1", A, "alpha", "second", True, now_us, now_us + 3_600_000_000, None, bill
        )

    async def keep(self) -> None:
        self.memory.keep([self.entry])
        await self.memory.flush()
        self.clock.advance(1)


@virtually
async def test_a_finished_answer_is_billed_to_whoever_asked_for_it() -> None:
    world = World(lambda: response("completed", USED))
    await world.keep()

    closed = [await world.bills.look_after(0.0) for _ in range(2)]

    (event,) = world.pipeline.events
    assert closed == [1, 0]
    assert (event.request_id, event.tenant_id, event.key_id) == ("req_1.done", "acme", "key_1")
    assert (event.user_id, event.provider, event.route, event.outcome) == ("ann", "alpha", "auto", "ok")
    assert (event.input_tokens, event.output_tokens) == (100, 10)
    assert event.cost_nano_usd == 100 * 1000 + 10 * 2000
    assert event.attempts[0].credential == "second"
    assert world.account.asked[0].credential == "second"
    assert world.pipeline.answer.in_flight == 0


@virtually
async def test_an_unfinished_answer_is_left_alone() -> None:
    world = World(lambda: response("in_progress"))
    await world.keep()

    assert await world.bills.look_after(0.0) == 0
    assert not world.pipeline.events
    assert len(await world.memory.unsettled(0.0, 10)) == 1


@virtually
async def test_of_many_who_see_it_complete_one_records_it() -> None:
    world = World(lambda: response("completed", USED))
    await world.keep()
    seen = world.reading.seen(response("completed", USED).body)
    assert seen is not None

    for _ in range(3):
        await world.bills.close(world.entry, seen)

    assert len(world.pipeline.events) == 1


@virtually
async def test_an_answer_its_account_lost_is_closed_in_doubt() -> None:
    world = World(gone)
    await world.keep()

    assert await world.bills.look_after(0.0) == 1

    (event,) = world.pipeline.events
    assert event.attempts[0].outcome == UNRESOLVED
    assert event.estimated


@virtually
async def test_an_account_that_cannot_be_asked_is_asked_again_until_the_answer_expires() -> None:
    def unreachable() -> ResourceAnswer:
        raise UpstreamFailed(Failure(kind=FailureKind.NETWORK, message="down"))

    world = World(unreachable)
    await world.keep()
    assert await world.bills.look_after(0.0) == 0

    world.clock.advance(3600)

    assert await world.bills.look_after(0.0) == 1
    assert world.pipeline.events[0].attempts[0].outcome == UNRESOLVED


@virtually
async def test_a_cancelled_answer_that_used_nothing_costs_nothing() -> None:
    world = World(lambda: response("cancelled"))
    await world.keep()

    await world.bills.look_after(0.0)

    assert world.pipeline.events[0].cost_nano_usd == 0


@pytest.mark.parametrize("status", ["queued", "in_progress", ""])
def test_only_finished_answers_count_as_finished(status: str) -> None:
    seen = ResponsesReading().seen(response(status).body)

    assert seen is not None and not seen.finished
