"""Leases where a process is pressed: a ledger that is away, many who wait, subjects that callers make up."""

import asyncio
from dataclasses import replace

import pytest

from adapters.memory.ledger import InMemoryLedger
from application.budget_book import BudgetBook
from application.tenure import NoRoom
from domain.budgets.scope import Spender, make_scope
from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.errors import StoreUnavailable
from tests.unit.application.test_lease_book import NOW, USD, Desk, account, budget, state
from tests.unit.application.upstreams import virtually
from tests.unit.budgets.requests import listed, messages


@virtually
async def test_what_is_at_hand_is_held_right_after_the_ledger_failed_too() -> None:
    ledger, one, other = InMemoryLedger(), account(), account(name="other")
    desk = Desk(ledger)
    await desk.take([one], USD // 100)
    ledger.reachable = False
    with pytest.raises(StoreUnavailable):
        await desk.take([other], USD)
    assert desk.take_now([one], USD // 100) is not None


@virtually
async def test_many_who_wait_for_the_same_room_ask_as_one() -> None:
    ledger, one = InMemoryLedger(), account(USD)
    desk, elsewhere = Desk(ledger), Desk(ledger, name="elsewhere")
    await elsewhere.take([one], USD)
    asked = desk.book.exchanges
    waiting = [desk.take([one], USD // 2) for _ in range(100)]
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(type(answer) is NoRoom for answer in answers)
    assert desk.book.exchanges - asked <= 25


@virtually
async def test_a_tenure_that_ends_gives_back_what_is_idle_while_a_hold_runs() -> None:
    ledger, one = InMemoryLedger(), account()
    desk = Desk(ledger)
    tenure, _ = await desk.take([one], USD // 100)
    desk.book._end(tenure)
    await desk.book.look()
    assert state(ledger, one)[1] == USD // 100


@virtually
async def test_groups_of_accounts_that_callers_make_up_are_bounded() -> None:
    desk = Desk(InMemoryLedger())
    tenure, _ = await desk.take([account()], USD // 100)
    for number in range(50_000):
        tenure.group(("acc",), (str(number),))
    assert len(tenure.groups) <= 20_000


def test_a_cache_mark_in_other_letters_is_held_as_dear_as_the_plain_one() -> None:
    target = listed("anthropic/claude-sonnet-4-5")
    plain = worst_attempt_cost(messages(b',"cache_control":{"type":"ephemeral","ttl":"1h"}'), target)
    hidden = worst_attempt_cost(
        messages(rb',"cache\u005fcontrol":{"type":"ephemeral","\u0074tl":"1h"}'), target
    )
    assert isinstance(plain, Bound) and isinstance(hidden, Bound)
    assert hidden.nano_usd >= plain.nano_usd


def test_values_with_separators_are_no_other_subject() -> None:
    scope = make_scope({"agent": "*", "session": "*"})
    one = scope.subject(Spender("t", agent="a&session=b", session="c"))
    other = scope.subject(Spender("t", agent="a", session="b&session=c"))
    assert one != other


@virtually
async def test_nobody_waits_for_a_silent_ledger_again_and_again() -> None:
    one = account(USD)

    async def silent(*_: object) -> None:
        await asyncio.sleep(5)
        raise StoreUnavailable("the ledger did not answer within 5 s")

    for opened in (False, True):
        ledger = InMemoryLedger()
        desk = Desk(ledger)
        if opened:
            await desk.take([one], 1)
            ledger.exchange = silent  # type: ignore[method-assign, assignment]
        else:
            ledger.open = silent  # type: ignore[method-assign, assignment]
        began = desk.clock.monotonic()
        answers = await asyncio.gather(*(desk.take([one], USD) for _ in range(20)), return_exceptions=True)
        assert all(type(answer) is StoreUnavailable for answer in answers)
        assert desk.clock.monotonic() - began <= 6


def test_a_budget_for_each_key_costs_the_other_keys_nothing() -> None:
    shared = replace(budget(USD, "shared"), scope=make_scope({"tenant": "t", "session": "*"}))
    own = [
        replace(budget(USD, f"own-{number}"), scope=make_scope({"tenant": "t", "key": f"k{number}"}))
        for number in range(100)
    ]
    book = BudgetBook([shared, *own])
    for session in ("a", "b"):
        found = book.concerning(Spender("t", key="k7", session=session), NOW, 0).accounts
        assert {one.name for one in found} == {"shared", "own-7"}
    assert book.concerning(Spender("t", key="k100"), NOW, 0).accounts == ()
    assert len(book._of(Spender("t", key="k7"))) == 2


@virtually
async def test_nothing_is_given_back_to_a_ledger_that_does_not_listen() -> None:
    ledger, one = InMemoryLedger(), account()
    desk = Desk(ledger)
    await desk.spend([one], USD // 100, USD // 100, "a")
    ledger.reachable = False
    await desk.book.look()
    await asyncio.sleep(3)
    await desk.book.look()
    assert desk.take_now([one], USD // 100) is not None
    ledger.reachable = True
    await asyncio.sleep(3)
    await desk.book.look()
    assert state(ledger, one) == (USD // 100, USD // 100)
