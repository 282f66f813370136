"""Batches under hard budgets: who waits, who fails, and what is charged for what is billed once."""

import asyncio
from dataclasses import replace

from adapters.memory.scripted_llm import Script
from application.ports.hold_board import AbandonedHolds
from application.use_cases.recover_holds import RecoverHolds
from domain.batch.batch import BatchStatus
from domain.budgets.budget import Budget
from domain.budgets.period import make_period
from domain.budgets.posting import HoldOutcome
from domain.budgets.scope import make_scope
from domain.catalog.prices import PriceTable
from domain.llm.failures import FailureKind
from domain.llm.usage import Usage
from tests.unit.application.test_holds import BILL, COUNTED, Purse
from tests.unit.application.upstreams import Bench, refused, virtually
from tests.unit.batch.test_run_batch import honouring, run_for
from tests.unit.batch.world import BatchWorld, ask

A = "alpha/m"
BOUND = 1_147_000
"""The most that one line of `ask` can cost: 1,107 tokens in, 20 out."""
LOST = refused(FailureKind.TIMEOUT, sent=True)


def budget(limit: int, *, period: str = "total", hard: bool = True, name: str = "b") -> Budget:
    return Budget(
        budget_id=f"bud_{name}", owner="acme", name=name, scope=make_scope({"tenant": "acme"}),
        period=make_period(period), limit_nano_usd=limit, hard=hard,
    )  # fmt: skip


def world_of(
    purse: Purse, *scripts: Script, honour: bool = False, prices: PriceTable | None = None
) -> BatchWorld:
    bench = Bench({A: list(scripts)}, money=purse, retries=0, prices=None if prices is None else {A: prices})
    return BatchWorld(honouring(bench) if honour else bench, ledger=purse.store)


def nothing_is_left(world: BatchWorld, purse: Purse) -> None:
    assert world.pipeline.in_flight == 0 and not purse.board.holds
    for books in purse.ledger.books.values():
        assert books.account is None or books.spent + books.unresolved <= books.account.limit_nano_usd


@virtually
async def test_lines_wait_for_a_budget_whose_period_ends_before_the_batch_does() -> None:
    purse = Purse(budget(2 * BILL + BOUND - 1, period="hour"))
    world = world_of(purse, COUNTED)
    await asyncio.sleep(600)
    batch = await world.begin([ask(str(n)) for n in range(4)], concurrency="3")
    await run_for(world, 20)
    waiting = await world.now(batch)
    assert waiting.waiting_for == "b" and waiting.status is BatchStatus.IN_PROGRESS
    assert waiting.counts == (4, 2, 0)
    await run_for(world, 3400)
    done = await world.now(batch)
    assert (done.status, done.counts, done.waiting_for) == (BatchStatus.COMPLETED, (4, 4, 0), "")
    assert len(purse.ledger.books) >= 2
    nothing_is_left(world, purse)


@virtually
async def test_lines_that_no_budget_will_have_room_for_fail_with_what_a_request_is_told() -> None:
    purse = Purse(budget(2 * BILL + BOUND - 1))
    world = world_of(purse, COUNTED)
    batch = await world.begin([ask(str(n)) for n in range(6)], concurrency="1")
    await run_for(world, 60)
    done = await world.now(batch)
    assert done.status is BatchStatus.COMPLETED and done.counts.completed + done.counts.failed == 6
    assert done.counts.failed >= 2
    errors = await world.rows(done.error_file_id)
    assert {row["response"]["status_code"] for row in errors.values()} == {402}
    bodies = [row["response"]["body"]["error"] for row in errors.values()]
    assert {body["code"] for body in bodies} == {"budget_exceeded"}
    refusals = [event for event in world.events if event.error_code == "budget_exceeded"]
    assert len(refusals) == done.counts.failed
    assert all(not event.attempts and event.cost_nano_usd == 0 for event in refusals)
    assert len(world.bench.asked()) == done.counts.completed
    nothing_is_left(world, purse)


@virtually
async def test_a_line_whose_cost_nothing_bounds_fails_and_the_others_go_on() -> None:
    purse = Purse(budget(10**9))
    world = world_of(purse, COUNTED, prices=PriceTable())
    batch = await world.begin([ask("x")])
    await run_for(world, 20)
    errors = await world.rows((await world.now(batch)).error_file_id)
    assert errors["c-0"]["response"]["body"]["error"]["code"] == "cost_unbounded"
    assert world.bench.asked() == []


@virtually
async def test_a_try_and_its_repeats_under_one_key_are_charged_once_and_need_room_once() -> None:
    purse = Purse(budget(2 * BOUND - 1), budget(10**9, hard=False, name="soft"))
    world = world_of(purse, LOST, LOST, COUNTED, honour=True)
    batch = await world.begin([ask("x")])
    await run_for(world, 300)
    done = await world.now(batch)
    assert done.counts == (1, 1, 0) and len(world.bench.asked()) == 3
    assert {call.request_id[-2:] for call in world.bench.direct.calls} == {"_0", "_1", "_2"}
    for books in purse.ledger.books.values():
        assert (books.spent, books.unresolved) == (BILL, 0)
    nothing_is_left(world, purse)


@virtually
async def test_between_a_try_in_doubt_and_its_repeat_nobody_else_can_spend_what_it_may_have_cost() -> None:
    purse = Purse(budget(2 * BOUND - 1))
    world = world_of(purse, LOST, replace(COUNTED, latency_s=30.0), honour=True)
    await world.begin([ask("x")])
    running = asyncio.create_task(run_for(world, 300))
    await asyncio.sleep(20)
    (books,) = purse.ledger.books.values()
    assert (books.spent, books.unresolved) == (0, BOUND)
    assert not purse.board.holds
    await running
    assert (books.spent, books.unresolved) == (BILL, 0)


@virtually
async def test_a_process_that_takes_over_bills_the_charge_of_the_one_before() -> None:
    purse = Purse(budget(2 * BOUND - 1))
    world = world_of(purse, LOST, replace(COUNTED, latency_s=5.0), honour=True)
    batch = await world.begin([ask("x")])
    await run_for(world, 0.5)
    assert world.bench.holds is not None
    await run_for(world, 300)
    assert (await world.now(batch)).counts == (1, 1, 0)
    (books,) = purse.ledger.books.values()
    assert (books.spent, books.unresolved) == (BILL, 0)


@virtually
async def test_what_died_with_its_process_is_charged_once_and_needs_room_once() -> None:
    purse = Purse(budget(2 * BOUND - 1), budget(10**9, hard=False, name="soft"))
    world = world_of(purse, replace(COUNTED, latency_s=10.0), honour=True)
    batch = await world.begin([ask("x")])
    await run_for(world, 5)
    left = tuple(purse.board.holds.values())
    assert [hold.held_nano_usd for hold in left] == [BOUND]
    await RecoverHolds([purse.store], world.bench.clock)(AbandonedHolds((), left))
    await run_for(world, 300)
    assert (await world.now(batch)).counts == (1, 1, 0) and len(world.bench.asked()) == 2
    for books in purse.ledger.books.values():
        assert (books.spent, books.unresolved) == (BILL, 0)


@virtually
async def test_a_try_whose_answer_nobody_will_see_stays_charged_as_held_and_once() -> None:
    purse = Purse(budget(10**9))
    world = world_of(purse, LOST, honour=False)
    await world.begin([ask("x")], retries="0")
    await run_for(world, 60)
    (books,) = purse.ledger.books.values()
    (entry,) = books.entries.values()
    assert entry.outcome is HoldOutcome.UNRESOLVED and books.spent == 0
    nothing_is_left(world, purse)


@virtually
async def test_a_ledger_that_is_away_costs_no_line() -> None:
    purse = Purse(budget(10**9))
    world = world_of(purse, COUNTED)
    batch = await world.begin([ask("x")])
    purse.store.reachable = False
    await run_for(world, 10)
    assert world.bench.asked() == []
    purse.store.reachable = True
    await run_for(world, 60)
    assert (await world.now(batch)).counts == (1, 1, 0)
    (books,) = purse.ledger.books.values()
    assert (books.spent, books.unresolved) == (BILL, 0)


@virtually
async def test_lines_that_wait_for_a_budget_leave_their_places_to_other_batches() -> None:
    purse = Purse(budget(3_200_000, period="hour"))
    await asyncio.sleep(600)
    bench = Bench({A: replace(COUNTED, usage=Usage(10, 5))}, money=purse, retries=0)
    world = BatchWorld(bench, slots_max=4, ledger=purse.store)
    large = await world.begin([ask("x" * 2000) for _ in range(9)])
    small = await world.begin([ask("x")])
    await run_for(world, 60)
    assert (await world.now(small)).counts.completed == 1
    assert (await world.now(large)).waiting_for == "b"
