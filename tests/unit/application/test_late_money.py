"""Answers made in the background under budgets: held by one request, billed by whoever sees the end."""

import pytest

from adapters.memory.scripted_llm import Break, Script
from adapters.memory.stored_answers import InMemoryStoredAnswers
from adapters.memory.system import SteppingClock
from adapters.wire.kept_responses import ResponsesReading
from application.answer_memory import AnswerMemory
from application.holds import charge_in_background
from application.job import Job
from application.late_money import LateMoney
from application.ports.stored_answers import OpenBill, StoredAnswer
from application.runtime import Runtime
from application.use_cases.late_bills import LateBills
from domain.budgets.posting import HoldOutcome, read_posting, written
from domain.errors import StoreUnavailable
from domain.llm.usage import Usage
from tests.unit.application.test_answer_llm_request import Pipeline
from tests.unit.application.test_holds import A, Purse, bound_of, budget
from tests.unit.application.test_late_bills import USED, Account, gone, response
from tests.unit.application.upstreams import Bench, virtually

BEGUN = Script(text="", usage=Usage())
BILL = 100 * 1_000 + 10 * 2_000


def in_background(bench: Bench, *, stream: bool = False) -> Job:
    job = bench.job(max_tokens=64, stream=stream)
    job.request.background = True
    return job


class World:
    """One request that began an answer, and everything that bills it later."""

    def __init__(self, purse: Purse, account: Account) -> None:
        self.purse = purse
        self.bench = Bench({A: BEGUN}, money=purse)
        self.pipeline = Pipeline(self.bench)
        self.clock = SteppingClock()
        self.memory = AnswerMemory(InMemoryStoredAnswers(), self.clock, per_tenant_max=9)
        assert self.bench.holds is not None
        self.bills = LateBills(
            memory=self.memory,
            reading=ResponsesReading(),
            resources=account,
            runtime=Runtime(self.bench._table, self.bench.live),
            pipeline=self.pipeline.answer,
            clock=self.bench.clock,
            money=LateMoney(self.bench.holds, purse.store, purse.store, self.bench.clock),
        )

    async def begun(self) -> Job:
        job = in_background(self.bench)
        await self.bench.answered(job)
        charge = charge_in_background(job)
        assert charge is not None
        bill = OpenBill("req_1", "auto", "auto", attempt_id=charge.attempt_id, charge=written(charge))
        now_us = self.memory.now_us()
        entry = StoredAnswer(
            "default", "resp_1", "key_1", A, "alpha", "", True, now_us, now_us + 10**12, None, bill
        )
        self.memory.keep([entry])
        await self.memory.flush()
        self.clock.advance(1)
        return job

    async def late_rows(self) -> None:
        """What the late rows do to budgets is in the database."""
        for event in self.pipeline.events:
            for row in event.attempts:
                if row.ledger:
                    await self.purse.store.post([read_posting(row.attempt_id, row.ledger)], 0)


@virtually
async def test_an_answer_that_is_only_begun_stays_held_whatever_its_first_answer_says() -> None:
    purse = Purse(budget())
    bench = Bench({A: BEGUN}, money=purse)
    job = in_background(bench)
    await bench.answered(job)
    (posting,) = await purse.recorded(bench, job)
    assert posting.outcome is HoldOutcome.UNRESOLVED
    assert purse.spent() == (0, bound_of(job))


@pytest.mark.parametrize("row_first", [True, False])
def test_its_bill_replaces_what_was_held_whichever_is_in_the_database_first(row_first: bool) -> None:
    @virtually
    async def run() -> None:
        hard, soft = budget(), budget(hard=False, name="soft")
        purse = Purse(hard, soft)
        world = World(purse, Account(lambda: response("completed", USED)))
        job = await world.begun()
        if row_first:
            await purse.recorded(world.bench, job)
        assert await world.bills.look_after(0.0) == 1
        await world.late_rows()
        if not row_first:
            await purse.recorded(world.bench, job)
        assert len(purse.ledger.books) == 2
        for books in purse.ledger.books.values():
            assert (books.spent, books.unresolved) == (BILL, 0)

    run()


@virtually
async def test_an_answer_whose_bill_nobody_will_learn_stays_charged_as_held() -> None:
    purse = Purse(budget())
    world = World(purse, Account(gone))
    job = await world.begun()
    await purse.recorded(world.bench, job)
    assert await world.bills.look_after(0.0) == 1
    await world.late_rows()
    assert purse.spent() == (0, bound_of(job))


@virtually
async def test_a_bill_the_ledger_does_not_take_now_is_closed_later() -> None:
    purse = Purse(budget())
    world = World(purse, Account(lambda: response("completed", USED)))
    job = await world.begun()
    await purse.recorded(world.bench, job)
    purse.store.reachable = False
    with pytest.raises(StoreUnavailable):
        await world.bills.look_after(0.0)
    purse.store.reachable = True
    assert await world.bills.look_after(0.0) == 1
    assert purse.spent() == (BILL, 0)
    assert {event.request_id for event in world.pipeline.events} == {"req_1.done"}


@virtually
async def test_a_stream_of_one_knows_its_charge_while_it_runs() -> None:
    purse = Purse(budget())
    bench = Bench({A: Script(text="one two three", broken=Break.CUT, broken_after=1)}, money=purse)
    job = in_background(bench, stream=True)
    stream = await bench.loop.open(job, bench.live)
    charge = charge_in_background(job)
    stream.close()
    assert charge is not None
    (posting,) = await purse.recorded(bench, job)
    assert (posting.attempt_id, posting.charged_nano_usd) == (charge.attempt_id, charge.charged_nano_usd)


@virtually
async def test_without_budgets_nothing_is_charged_for_one() -> None:
    bench = Bench({A: BEGUN})
    job = in_background(bench)
    await bench.answered(job)
    assert charge_in_background(job) is None
