import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.memory.hold_board import InMemoryHoldBoard
from adapters.memory.ledger import InMemoryLedger
from application.lease_book import LeaseBook
from application.tenure import NoRoom, Tenure
from domain.budgets.budget import Account, Budget, account_of
from domain.budgets.lease import Lease
from domain.budgets.period import make_period
from domain.budgets.posting import HoldOutcome, Posting
from domain.budgets.scope import Spender, make_scope
from domain.errors import StoreUnavailable
from tests.simulation.virtual_time import VirtualClock
from tests.unit.application.upstreams import virtually

USD = 1_000_000_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def _nothing_waits() -> None:
    return None


def budget(limit: int, name: str = "month") -> Budget:
    return Budget(
        budget_id=f"bud_{name}", owner="t", name=name, scope=make_scope({"tenant": "t"}),
        period=make_period("total"), limit_nano_usd=limit, hard=True,
    )  # fmt: skip


def account(limit: int = 10 * USD, *, name: str = "month") -> Account:
    found = account_of(budget(limit, name), Spender("t"), NOW)
    assert found is not None
    return found


class Desk:
    """One process's leases at a ledger that others may share."""

    def __init__(self, *ledgers: InMemoryLedger, name: str = "one") -> None:
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.board = InMemoryHoldBoard()
        self._names = iter(range(1000))
        self.ledgers = ledgers
        self.book = LeaseBook(
            ledgers, self.board, self.clock, lambda: f"{name}-{next(self._names)}", _nothing_waits
        )

    def take_now(self, accounts: list[Account], amount: int) -> tuple[Tenure, list[Lease]] | None:
        return self.book.try_take(accounts, amount, self.clock.monotonic())

    async def take(
        self, accounts: list[Account], amount: int, within_s: float = 5.0
    ) -> tuple[Tenure, list[Lease]]:
        return await self.book.take(accounts, amount, within_s)

    async def spend(self, accounts: list[Account], held: int, cost: int, attempt: str) -> None:
        """A whole attempt: held, billed, and its row written."""
        tenure, leases = await self.take(accounts, held)
        for lease in leases:
            lease.settle(held, cost, self.clock.monotonic())
        names = tuple(one.account_id for one in accounts)
        posting = Posting(attempt, HoldOutcome.SETTLED, cost, held, cost, tenure.holder, tenure.payer, names)
        await tenure.store.post([posting], 0)
        self.book.recorded(tenure)


def state(ledger: InMemoryLedger, one: Account) -> tuple[int, int]:
    told = ledger.ledger.books[one.account_id].state(one.account_id)
    return told.spent_nano_usd, told.leased_nano_usd


@virtually
async def test_the_first_hold_asks_and_the_next_ones_do_not() -> None:
    desk, one = Desk(InMemoryLedger()), account()
    await desk.take([one], USD // 100)
    asked = desk.book.exchanges
    for _ in range(4):
        assert desk.take_now([one], USD // 100) is not None
    assert desk.book.exchanges == asked == 1


@virtually
async def test_all_accounts_are_held_or_none() -> None:
    ledger = InMemoryLedger()
    desk, wide, narrow = Desk(ledger), account(), account(USD // 10, name="narrow")
    with pytest.raises(NoRoom) as refused:
        await desk.take([wide, narrow], USD)
    assert refused.value.account == narrow
    tenure = desk.book._tenures[0]
    assert all(lease.held == 0 for lease in tenure.leases.values())


@virtually
async def test_a_budget_is_never_held_beyond_its_limit_by_many_at_once() -> None:
    ledger, one = InMemoryLedger(), account(USD)
    desks = [Desk(ledger, name=f"p{number}") for number in range(4)]

    async def one_caller(desk: Desk) -> bool:
        try:
            await desk.take([one], USD // 10, within_s=0.2)
        except NoRoom:
            return False
        return True

    got = await asyncio.gather(*(one_caller(desks[number % 4]) for number in range(40)))
    assert sum(got) == 10
    assert state(ledger, one) == (0, USD)


@virtually
async def test_a_nearly_spent_budget_still_serves_small_requests_of_all() -> None:
    ledger, one = InMemoryLedger(), account(USD)
    desks = [Desk(ledger, name=f"p{number}") for number in range(3)]
    looks = [asyncio.create_task(desk.book.run()) for desk in desks]
    small, spent = USD // 1000, 0
    try:
        for number in range(1500):
            try:
                await desks[number % 3].spend([one], small, small, f"a{number}")
                spent += small
            except NoRoom:
                break
    finally:
        for look in looks:
            look.cancel()
    assert spent == USD


@virtually
async def test_an_idle_slice_goes_back() -> None:
    ledger, one = InMemoryLedger(), account()
    desk = Desk(ledger)
    await desk.spend([one], USD // 100, USD // 200, "a")
    assert state(ledger, one)[1] > 0
    await asyncio.sleep(3)
    await desk.book.look()
    assert state(ledger, one) == (USD // 200, 0)


@virtually
async def test_a_request_waits_for_holds_of_others_to_end() -> None:
    ledger, one = InMemoryLedger(), account(USD)
    desk = Desk(ledger)
    _, leases = await desk.take([one], USD)

    async def give_back() -> None:
        await asyncio.sleep(0.4)
        leases[0].settle(USD, 0, desk.clock.monotonic())

    ending = asyncio.create_task(give_back())
    assert await desk.take([one], USD // 2)
    await ending


@virtually
async def test_a_spent_budget_refuses_without_asking_each_time() -> None:
    ledger, one = InMemoryLedger(), account(USD)
    desk = Desk(ledger)
    await desk.spend([one], USD, USD, "a")
    with pytest.raises(NoRoom):
        await desk.take([one], 1)
    asked = desk.book.exchanges
    for _ in range(50):
        with pytest.raises(NoRoom) as refused:
            await desk.take([one], 1)
    assert desk.book.exchanges == asked
    assert refused.value.state.spent_nano_usd == USD


@virtually
async def test_a_ledger_that_is_down_refuses_only_what_is_not_at_hand() -> None:
    ledger, one = InMemoryLedger(), account()
    desk = Desk(ledger)
    await desk.take([one], USD // 100)
    ledger.reachable = False
    assert desk.take_now([one], USD // 100) is not None
    with pytest.raises(StoreUnavailable) as refused:
        await desk.take([one], 5 * USD)
    assert refused.value.retry_after_s
    ledger.reachable = True
    await asyncio.sleep(1)
    assert await desk.take([one], 5 * USD)


@virtually
async def test_another_ledger_stands_in_while_the_first_is_down() -> None:
    first, second, one = InMemoryLedger(), InMemoryLedger(), account()
    desk = Desk(first, second)
    first.reachable = False
    tenure, _ = await desk.take([one], USD)
    assert tenure.store is second
    first.reachable = True
    await asyncio.sleep(1)
    tenure, _ = await desk.take([one], USD)
    assert tenure.store is first


@virtually
async def test_an_answer_that_got_lost_is_told_by_the_next() -> None:
    ledger, one = InMemoryLedger(), account(USD)
    desk = Desk(ledger)
    real = ledger.exchange

    async def lost(*args: Any) -> Any:
        await real(*args)
        raise StoreUnavailable("cut off after the grant")

    ledger.exchange = lost  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailable):
        await desk.take([one], USD // 2)
    granted = state(ledger, one)[1]
    ledger.exchange = real  # type: ignore[method-assign]
    await asyncio.sleep(1)
    await desk.take([one], USD // 2)
    assert desk.book._tenures[0].leases[one.account_id].granted_total >= granted
    assert state(ledger, one)[1] <= USD


@virtually
async def test_a_fenced_instance_starts_anew_and_the_old_leases_are_given_back() -> None:
    ledger, one = InMemoryLedger(), account()
    desk = Desk(ledger)
    first, leases = await desk.take([one], USD)
    ledger.ledger.give_up_lost(2**62, 0, 0)
    with pytest.raises(NoRoom):
        await desk.take([one], 9 * USD)
    second, _ = await desk.take([one], USD)
    assert second.holder != first.holder
    await desk.book.look()
    assert ledger.ledger.books[one.account_id].leases[first.holder].outstanding, "its hold is still open"
    leases[0].settle(USD, 0, desk.clock.monotonic())
    desk.book.recorded(first)
    await desk.book.look()
    assert not ledger.ledger.books[one.account_id].leases[first.holder].outstanding


@virtually
async def test_the_very_request_that_finds_a_ledger_down_is_served_by_the_next() -> None:
    front, back = InMemoryLedger(), InMemoryLedger()
    desk = Desk(front, back)
    await desk.take([account()], USD)
    front.reachable = False
    tenure, _ = await desk.take([account(name="other")], 9 * USD)
    assert tenure.store is back


@virtually
async def test_a_lowered_limit_acts_on_what_is_idle() -> None:
    ledger, one = InMemoryLedger(), account(10 * USD)
    desk = Desk(ledger)
    await desk.spend([one], USD, USD, "a")
    lowered = one._replace(limit_nano_usd=USD)
    desk.book.recall([budget(USD)])
    await desk.book.look()
    assert state(ledger, one) == (USD, 0)
    with pytest.raises(NoRoom):
        await desk.take([lowered], 1)


@virtually
async def test_closing_gives_everything_back() -> None:
    ledger, one = InMemoryLedger(), account()
    desk = Desk(ledger)
    await desk.spend([one], USD, USD // 2, "a")
    await desk.book.aclose()
    await desk.book.aclose()
    assert state(ledger, one) == (USD // 2, 0)


@virtually
async def test_a_bill_beyond_its_bound_is_made_up_for_before_more_is_held() -> None:
    ledger, one = InMemoryLedger(), account(USD)
    desk = Desk(ledger)
    await desk.spend([one], USD // 10, USD // 2, "a")
    taken = 0
    for _ in range(10):
        try:
            await desk.take([one], USD // 10, within_s=0.0)
            taken += 1
        except NoRoom:
            break
    assert taken == 5
