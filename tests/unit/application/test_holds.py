"""The attempt loop with money: what is held, what is charged, and who is refused."""

import asyncio
from typing import Any

import pytest

from adapters.memory.hold_board import InMemoryHoldBoard
from adapters.memory.ledger import InMemoryLedger
from adapters.memory.scripted_llm import Break, Script
from application.budget_book import BudgetBook
from application.holds import BudgetHolds
from application.job import Job
from application.lease_book import LeaseBook
from application.ports.system import Clock
from domain.budgets.budget import Budget
from domain.budgets.ledger import Ledger
from domain.budgets.period import make_period
from domain.budgets.posting import HoldOutcome, Posting, read_posting
from domain.budgets.scope import make_scope
from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.catalog.prices import PriceTable, Rates
from domain.errors import BudgetExceeded, CostUnbounded, StreamCut, UpstreamError
from domain.llm.failures import FailureKind
from domain.llm.usage import Usage
from tests.unit.application.upstreams import OK, PRICES, Bench, broken, refused, virtually

USD = 1_000_000_000
A, B = "alpha/m", "beta/m"
COUNTED = Script(text="one two three", usage=Usage(100, 50))
BILL = 100 * 1_000 + 50 * 2_000
DEAR = PriceTable(base=Rates(input=10**13, output=10**13))


class Purse:
    """A ledger in memory and everything of one process around it."""

    def __init__(self, *budgets: Budget) -> None:
        self.store = InMemoryLedger()
        self.board = InMemoryHoldBoard()
        self.book = BudgetBook(budgets)

    def __call__(self, clock: Clock) -> BudgetHolds:
        names = iter(range(1000))

        async def nothing_waits() -> None:
            return None

        leases = LeaseBook([self.store], self.board, clock, lambda: f"h{next(names)}", nothing_waits)
        return BudgetHolds(self.book, leases, self.board, clock)

    @property
    def ledger(self) -> Ledger:
        return self.store.ledger

    async def recorded(self, bench: Bench, job: Job) -> list[Posting]:
        """What the end of a request does: rows, postings, free places."""
        postings = [read_posting(row.attempt_id, row.ledger) for row in job.attempts if row.ledger]
        await self.store.post(postings, 0)
        assert bench.holds is not None
        bench.holds.recorded(job)
        return postings

    def spent(self) -> tuple[int, int]:
        """(spent, unresolved) of the only account."""
        (books,) = self.ledger.books.values()
        return books.spent, books.unresolved


def budget(limit: int = 10 * USD, *, hard: bool = True, name: str = "b", **scope: str) -> Budget:
    return Budget(
        budget_id=f"bud_{name}", owner="default", name=name, scope=make_scope(scope or {"tenant": "default"}),
        period=make_period("total"), limit_nano_usd=limit, hard=hard, contact="money@example.org",
    )  # fmt: skip


def bound_of(job: Job) -> int:
    bound = worst_attempt_cost(job.request, job.plan.targets[0])
    assert isinstance(bound, Bound)
    return bound.nano_usd


@pytest.mark.parametrize("stream", [False, True])
def test_a_counted_answer_is_charged_its_bill_and_nothing_stays_held(stream: bool) -> None:
    @virtually
    async def run() -> None:
        purse = Purse(budget())
        bench = Bench({A: COUNTED}, money=purse)
        job = bench.job(stream=stream, max_tokens=64)
        await (bench.streamed(job) if stream else bench.answered(job))
        (posting,) = await purse.recorded(bench, job)
        assert posting.outcome is HoldOutcome.SETTLED
        assert posting.held_nano_usd == bound_of(job) >= posting.charged_nano_usd == BILL
        assert purse.spent() == (BILL, 0)
        assert not purse.board.holds
        assert not any(lease.held for t in _tenures(bench) for lease in t.leases.values())

    run()


@virtually
async def test_a_refusal_says_everything_and_sends_nothing() -> None:
    purse = Purse(budget(1000))
    bench = Bench({A: COUNTED}, money=purse)
    job = bench.job(max_tokens=64)
    with pytest.raises(BudgetExceeded) as refusal:
        await bench.answered(job)
    details = refusal.value.details
    assert details["limit_usd"] == "0.000001" and details["spent_usd"] == "0" and details["held_usd"] == "0"
    assert details["needed_usd"] and details["contact"] == "money@example.org"
    assert "max_tokens" in refusal.value.message
    assert bench.asked() == []
    bench.assert_nothing_left()
    assert not purse.board.holds


@virtually
async def test_an_unknown_price_is_refused_under_a_hard_budget_and_counted_under_a_soft_one() -> None:
    unknown = {A: PriceTable()}
    bench = Bench({A: COUNTED}, money=Purse(budget()), prices=unknown)
    with pytest.raises(CostUnbounded):
        await bench.answered(bench.job(max_tokens=64))
    assert bench.asked() == []
    soft = Bench({A: COUNTED}, money=Purse(budget(hard=False)), prices=unknown)
    assert await soft.answered(soft.job(max_tokens=64)) == "one two three"


@virtually
async def test_a_target_too_dear_is_passed_over_for_a_cheaper_one() -> None:
    purse = Purse(budget(USD))
    bench = Bench({A: COUNTED, B: COUNTED}, money=purse, prices={A: DEAR})
    job = bench.job(max_tokens=64)
    assert await bench.answered(job) == "one two three"
    assert bench.asked() == [B]
    await purse.recorded(bench, job)
    assert purse.spent() == (BILL, 0)


@virtually
async def test_each_attempt_is_held_at_its_own_worst_price_and_a_refused_one_costs_nothing() -> None:
    purse = Purse(budget())
    first = refused(FailureKind.OVERLOADED, status=503, sent=True)
    bench = Bench({A: first, B: COUNTED}, money=purse, retries=0)
    job = bench.job(max_tokens=64)
    await bench.answered(job)
    postings = await purse.recorded(bench, job)
    assert [posting.outcome for posting in postings] == [HoldOutcome.RELEASED, HoldOutcome.SETTLED]
    assert purse.spent() == (BILL, 0)


@virtually
async def test_what_may_have_been_billed_counts_at_the_held_amount() -> None:
    purse = Purse(budget())
    bench = Bench({A: broken(Break.CUT, 2)}, money=purse)
    job = bench.job(stream=True, max_tokens=64)
    with pytest.raises(StreamCut):
        await bench.streamed(job)
    (posting,) = await purse.recorded(bench, job)
    assert posting.outcome is HoldOutcome.UNRESOLVED
    assert purse.spent() == (0, bound_of(job))
    await purse.store.resolve(posting.attempt_id, 1234, 0)
    assert purse.spent() == (1234, 0)


@virtually
async def test_a_caller_who_leaves_leaves_the_worst_case() -> None:
    purse = Purse(budget())
    bench = Bench({A: Script(text="one two three", token_s=10.0)}, money=purse)
    job = bench.job(max_tokens=64)
    calling = asyncio.create_task(bench.answered(job))
    await asyncio.sleep(1)
    calling.cancel()
    await asyncio.wait((calling,))
    await purse.recorded(bench, job)
    assert purse.spent() == (0, bound_of(job))


@virtually
async def test_a_caller_who_leaves_while_room_is_waited_for_holds_nothing() -> None:
    purse = Purse(budget(2 * USD // 1000))
    bench = Bench({A: Script(text="one two three", token_s=10.0)}, money=purse)
    running = asyncio.create_task(bench.answered(bench.job(max_tokens=300)))
    await asyncio.sleep(0.1)
    waiting_job = bench.job(max_tokens=300)
    waiting = asyncio.create_task(bench.answered(waiting_job))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait((waiting,))
    assert waiting_job.attempts == [] and waiting_job.holds == []
    assert len(purse.board.holds) == 1
    running.cancel()
    await asyncio.wait((running,))
    bench.assert_nothing_left()


@virtually
async def test_every_account_concerned_is_charged_once() -> None:
    purse = Purse(
        budget(name="tenant"),
        budget(name="provider", tenant="default", provider="alpha"),
        budget(name="other", tenant="default", provider="beta"),
        budget(name="soft", hard=False),
    )
    bench = Bench({A: COUNTED}, money=purse)
    job = bench.job(max_tokens=64)
    await bench.answered(job)
    await purse.recorded(bench, job)
    await purse.recorded(bench, job)
    books = [one for one in purse.ledger.books.values() if one.spent]
    assert [one.spent for one in books] == [BILL] * 3


@virtually
async def test_a_failed_answer_is_told_as_it_failed_also_when_the_fallback_is_too_dear() -> None:
    purse = Purse(budget(USD))
    first = refused(FailureKind.SERVER_ERROR, status=500, sent=True)
    bench = Bench({A: first, B: COUNTED}, money=purse, prices={B: DEAR}, retries=0)
    with pytest.raises(UpstreamError):
        await bench.answered(bench.job(max_tokens=64))
    assert bench.asked() == [A]


@virtually
async def test_a_route_may_let_a_budget_shorten_plain_answers() -> None:
    purse = Purse(budget(2 * USD // 1000))
    bench = Bench({A: COUNTED}, money=purse, clamp_to_budget=True)
    job = bench.job(max_tokens=100_000)
    await bench.answered(job)
    assert job.max_tokens_set is not None and 16 <= job.max_tokens_set < 1000
    (posting,) = await purse.recorded(bench, job)
    assert posting.held_nano_usd <= 2 * USD // 1000
    tools = bench.job(max_tokens=100_000, tools=True)
    with pytest.raises(BudgetExceeded):
        await bench.answered(tools)


@virtually
async def test_a_caller_is_told_what_is_left() -> None:
    purse = Purse(budget(USD))
    bench = Bench({A: COUNTED}, money=purse)
    job = bench.job(max_tokens=64)
    await bench.answered(job)
    await purse.recorded(bench, job)
    assert job.budget_left_nano_usd == USD - BILL


@virtually
async def test_a_job_that_is_abandoned_frees_what_was_never_sent_and_leaves_what_was() -> None:
    purse = Purse(budget())
    bench = Bench({A: COUNTED}, money=purse)
    assert bench.holds is not None
    sent, unsent = bench.job(max_tokens=64), bench.job(max_tokens=64)
    await bench.answered(sent)
    await bench.holds.begin(unsent, unsent.plan.targets[0], "", unsent.request)
    for job in (sent, unsent):
        bench.holds.abandoned(job)
    assert [hold.attempt_id for hold in purse.board.holds.values()] == [sent.attempts[0].attempt_id]
    assert not any(lease.held for t in _tenures(bench) for lease in t.leases.values())


@virtually
async def test_without_budgets_nothing_is_asked_or_written() -> None:
    purse = Purse()
    bench = Bench({A: OK}, money=purse)
    job = bench.job()
    await bench.answered(job)
    assert job.holds == [] and job.attempts[0].ledger == "" and not purse.ledger.holders


def _tenures(bench: Bench) -> list[Any]:
    assert bench.holds is not None
    return list(bench.holds.leases._tenures.values())


def test_prices_of_the_bench_make_the_bill_stated_above() -> None:
    assert PRICES.base.input is not None and PRICES.base.output is not None
    assert (100 * PRICES.base.input + 50 * PRICES.base.output) // 10**6 == BILL


@pytest.mark.parametrize("usage", [Usage(0, 0), Usage(0, 50), Usage(-100, 50)])
def test_an_answer_whose_prompt_is_counted_as_nothing_stays_held_in_full(usage: Usage) -> None:
    @virtually
    async def run() -> None:
        purse = Purse(budget())
        bench = Bench({A: Script(text="one two three", usage=usage)}, money=purse)
        job = bench.job(max_tokens=64)
        await bench.answered(job)
        (posting,) = await purse.recorded(bench, job)
        assert posting.outcome is HoldOutcome.UNRESOLVED
        assert purse.spent() == (0, bound_of(job))
        assert job.attempts[0].cost_nano_usd and job.attempts[0].estimated

    run()
