"""Batches of providers under hard budgets: one charge for all lines, as long as the provider works."""

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from application.ports.http import BodySource
from application.ports.llm import UpstreamFailed
from application.ports.provider_batches import (
    Marker,
    ProviderBatches,
    ProviderBatchState,
    ProviderLine,
    TranslatedAnswer,
)
from domain.batch.batch import BatchStatus
from domain.budgets.budget import Budget
from domain.budgets.ledger import Books
from domain.budgets.posting import LINES_PATIENCE_US
from domain.catalog.prices import PriceTable, Rates
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest
from domain.llm.usage import Usage
from domain.routing.target import Target
from tests.unit.application.test_holds import COUNTED, Purse
from tests.unit.application.upstreams import Bench, virtually
from tests.unit.batch.test_batch_budgets import BOUND, budget, nothing_is_left
from tests.unit.batch.test_run_batch import run_for
from tests.unit.batch.world import BatchWorld, ask

A = "alpha/m"
HALF = {A: PriceTable(base=Rates(input=10**9, output=2 * 10**9), batch_multiplier_percent=50)}
BILL = (10 * 1_000 + 5 * 2_000) // 2
LINES = 4


class Api(ProviderBatches):
    """Takes `ready_after` polls; each line is answered with `usage`, and those in `silent` with no count."""

    def __init__(self, *, ready_after: int = 1, silent: Sequence[int] = ()) -> None:
        self.ready_after, self.silent = ready_after, silent
        self.made: list[list[str]] = []
        self.polls = 0
        self.refuses: Failure | None = None

    def offers(self, target: Target, dialect: str) -> bool:
        return True

    def encode(self, target: Target, request: LlmRequest, custom_id: str) -> bytes:
        return custom_id.encode() + b"\n"

    async def document(self, target: Target, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    async def submit(self, target: Target, dialect: str, document: BodySource, marker: Marker) -> str:
        if self.refuses is not None:
            raise UpstreamFailed(self.refuses)
        self.made.append([i async for part in document.chunks() for i in part.decode().split()])
        return f"pb_{len(self.made)}"

    async def find(self, target: Target, marker: Marker) -> str | None:
        return "pb_1" if self.made else None

    async def poll(self, target: Target, batch: str) -> ProviderBatchState:
        self.polls += 1
        return ProviderBatchState(self.polls >= self.ready_after)

    async def cancel(self, target: Target, batch: str) -> None:
        self.ready_after = 0

    async def results(
        self, target: Target, batch: str, state: ProviderBatchState
    ) -> AsyncIterator[ProviderLine]:
        for number, custom_id in enumerate(self.made[0]):
            yield ProviderLine(custom_id, 200, json.dumps({"n": number}).encode())

    def translate(self, target: Target, request: LlmRequest, body: bytes) -> TranslatedAnswer:
        silent = json.loads(body)["n"] in self.silent
        return TranslatedAnswer(body, None if silent else Usage(10, 5), "stop")


def world_of(purse: Purse, api: Api, prices: dict[str, PriceTable] | None = None) -> BatchWorld:
    bench = Bench({A: COUNTED}, money=purse, prices=prices or HALF)
    return BatchWorld(bench, ledger=purse.store, providers=api)


def hard_of(purse: Purse) -> Books:
    (books,) = [b for b in purse.ledger.books.values() if b.account is not None and b.account.hard]
    return books


def hard_and_soft(limit: int) -> tuple[Budget, Budget]:
    return budget(limit), budget(10**12, hard=False, name="soft")


@virtually
async def test_all_lines_are_charged_before_they_leave_and_billed_exactly_at_the_end() -> None:
    purse, api = Purse(*hard_and_soft(10 * BOUND)), Api(ready_after=5)
    world = world_of(purse, api)
    batch = await world.begin([ask(str(n)) for n in range(LINES)], mode="provider")
    running = run_for(world, 1.0)
    await running
    assert api.made and (hard_of(purse).spent, hard_of(purse).unresolved) == (0, LINES * BOUND)
    assert not purse.board.holds
    await run_for(world, 300)
    done = await world.now(batch)
    assert done.status is BatchStatus.COMPLETED and done.cost_nano_usd == LINES * BILL
    for books in purse.ledger.books.values():
        assert (books.spent, books.unresolved) == (LINES * BILL, 0)
    assert len(api.made) == 1
    nothing_is_left(world, purse)


@virtually
async def test_a_line_that_nobody_counted_is_billed_at_its_bound() -> None:
    purse = Purse(budget(10 * BOUND))
    world = world_of(purse, Api(silent=(2,)))
    await world.begin([ask(str(n)) for n in range(LINES)], mode="provider")
    await run_for(world, 60)
    assert (hard_of(purse).spent, hard_of(purse).unresolved) == ((LINES - 1) * BILL + BOUND, 0)


@pytest.mark.parametrize("mode", ["provider", "auto"])
def test_a_batch_that_a_budget_has_no_room_for_is_refused_or_run_line_by_line(mode: str) -> None:
    @virtually
    async def run() -> None:
        purse, api = Purse(budget(LINES * BOUND - 1)), Api()
        world = world_of(purse, api)
        batch = await world.begin([ask(str(n)) for n in range(LINES)], mode=mode)
        await run_for(world, 60)
        done = await world.now(batch)
        assert not api.made
        if mode == "auto":
            assert (done.status, done.counts) == (BatchStatus.COMPLETED, (LINES, LINES, 0))
        else:
            assert (done.status, done.problems[0].code) == (BatchStatus.FAILED, "budget_exceeded")
            assert hard_of(purse).spent == 0
        assert hard_of(purse).unresolved == 0
        nothing_is_left(world, purse)

    run()


@virtually
async def test_lines_that_nothing_bounds_are_not_handed_over_under_a_hard_budget() -> None:
    purse, api = Purse(budget(10**12)), Api()
    world = world_of(purse, api, {A: PriceTable(batch_multiplier_percent=50)})
    batch = await world.begin([ask("x")], mode="provider")
    await run_for(world, 20)
    assert not api.made
    assert (await world.now(batch)).problems[0].code == "cost_unbounded"


@virtually
async def test_what_the_provider_certainly_refused_is_free_again() -> None:
    purse, api = Purse(budget(10 * BOUND)), Api()
    api.refuses = Failure(kind=FailureKind.CALLER_FAULT, message="no", status=400)
    world = world_of(purse, api)
    batch = await world.begin([ask(str(n)) for n in range(LINES)], mode="provider")
    await run_for(world, 20)
    assert (await world.now(batch)).status is BatchStatus.FAILED
    assert (hard_of(purse).spent, hard_of(purse).unresolved) == (0, 0)
    nothing_is_left(world, purse)


@virtually
async def test_a_hand_over_in_doubt_stays_charged() -> None:
    purse, api = Purse(budget(10 * BOUND)), Api()
    api.refuses = Failure(kind=FailureKind.TIMEOUT, message="?", sent=True)
    world = world_of(purse, api)
    await world.begin([ask(str(n)) for n in range(LINES)], mode="provider")
    await run_for(world, 3000)
    assert (hard_of(purse).spent, hard_of(purse).unresolved) == (0, LINES * BOUND)


@virtually
async def test_a_ledger_that_is_away_delays_the_hand_over_and_charges_once() -> None:
    purse, api = Purse(budget(10 * BOUND)), Api()
    world = world_of(purse, api)
    batch = await world.begin([ask(str(n)) for n in range(LINES)], mode="provider")
    purse.store.reachable = False
    await run_for(world, 20)
    assert not api.made
    purse.store.reachable = True
    await run_for(world, 300)
    assert (await world.now(batch)).status is BatchStatus.COMPLETED
    assert (hard_of(purse).spent, hard_of(purse).unresolved) == (LINES * BILL, 0)
    assert len(api.made) == 1


@virtually
async def test_a_cancelled_batch_is_billed_for_what_was_answered() -> None:
    purse, api = Purse(budget(10 * BOUND)), Api(ready_after=10_000)
    world = world_of(purse, api)
    batch = await world.begin([ask(str(n)) for n in range(LINES)], mode="provider")
    await run_for(world, 5)
    await world.batching.batches.cancel(world.by, batch.batch_id)
    await run_for(world, 120)
    assert (await world.now(batch)).status is BatchStatus.CANCELLED
    assert (hard_of(purse).spent, hard_of(purse).unresolved) == (LINES * BILL, 0)


@virtually
async def test_the_usual_deadline_does_not_end_the_charge_of_a_batch_that_may_still_be_billed() -> None:
    purse, api = Purse(budget(10 * BOUND)), Api(ready_after=10_000)
    world = world_of(purse, api)
    await world.begin([ask(str(n)) for n in range(LINES)], mode="provider")
    await run_for(world, 5)
    (entry,) = await purse.store.unresolved(None)
    assert entry.attempt_id.endswith(".lines")
    assert await purse.store.resolve_older(entry.since_us + LINES_PATIENCE_US, 0) == 0
    assert await purse.store.resolve_older(entry.since_us + LINES_PATIENCE_US + 1, 0) == 1
