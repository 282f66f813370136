"""What every LedgerStore promises about processes that end, and about those that are lost."""

import pytest

from application.ports.ledger import HolderFenced, LedgerBooks, LedgerStore
from contracts.ports.ledger import DAILY, OTHER, LedgerHoles
from contracts.ports.ledger_books import CatchUp, state_of
from contracts.ports.ledger_world import NOW_US, SECOND_US, USD, Process


class LedgerLossContract(LedgerHoles):
    """Processes that end, and processes that are lost."""

    async def test_closing_gives_back_what_was_left(
        self, one: Process, two: Process, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await one.bill("req_1.1", 4 * USD, OTHER)

        await one.store.close(one.holder, NOW_US)
        await one.store.close(one.holder, NOW_US)
        await catch_up()

        assert await two.get(OTHER, 6 * USD)
        assert not await two.get(OTHER, 1)

    async def test_closing_whoever_nobody_knows_is_no_error(self, store: LedgerStore) -> None:
        await store.close("hold_never_opened", NOW_US)

    async def test_a_closed_holder_gets_nothing_and_stays_closed(self, one: Process) -> None:
        await one.store.close(one.holder, NOW_US)
        await one.store.open(one.holder, NOW_US)

        with pytest.raises(HolderFenced):
            await one.get(OTHER, 1)

    async def test_a_silent_holder_is_fenced_and_its_leases_count(self, one: Process, two: Process) -> None:
        await one.get(OTHER, 10 * USD)
        later = NOW_US + 60 * SECOND_US
        await two.look(DAILY, later)

        assert await one.store.give_up_lost(later - 30 * SECOND_US, NOW_US, later) == 0

        with pytest.raises(HolderFenced):
            await one.get(OTHER, 1, now_us=later)
        with pytest.raises(HolderFenced):
            await one.say(now_us=later)
        assert not await two.get(OTHER, 1, now_us=later)

    async def test_a_sign_of_life_is_enough(self, one: Process) -> None:
        later = NOW_US + 60 * SECOND_US
        await one.say(now_us=later)

        await one.store.give_up_lost(later - 30 * SECOND_US, NOW_US, later)

        assert await one.get(OTHER, 1, now_us=later)

    async def test_a_fenced_holder_may_still_say_what_it_spent(
        self, one: Process, two: Process, books: LedgerBooks, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await two.say(now_us=NOW_US + 1)
        await one.store.give_up_lost(NOW_US + 1, NOW_US, NOW_US + 2)

        await one.bill("req_1.1", 4 * USD, OTHER, now_us=NOW_US + 3)
        await one.store.close(one.holder, NOW_US + 4)
        await catch_up()

        assert (await state_of(books, OTHER)).spent_nano_usd == 4 * USD
        assert await two.get(OTHER, 6 * USD)

    async def test_a_lost_holder_is_booked_as_unresolved(
        self, one: Process, two: Process, books: LedgerBooks, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await one.bill("req_1.1", 4 * USD, OTHER)

        await two.say(now_us=NOW_US + 1)

        assert await one.store.give_up_lost(NOW_US + 1, NOW_US + 1, NOW_US + 2) == 1
        assert await one.store.give_up_lost(NOW_US + 1, NOW_US + 1, NOW_US + 3) == 0
        await catch_up()

        state = await state_of(books, OTHER)
        assert (state.spent_nano_usd, state.unresolved_nano_usd) == (4 * USD, 6 * USD)
        (entry,) = await books.unresolved("acme")
        assert (entry.attempt_id, entry.held_nano_usd) == ("lost:hold_one", 6 * USD)
        assert not await two.get(OTHER, 1, now_us=NOW_US)

    async def test_a_journal_that_turns_up_corrects_what_was_booked(
        self, one: Process, two: Process, books: LedgerBooks, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await two.say(now_us=NOW_US + 1)
        await one.store.give_up_lost(NOW_US + 1, NOW_US + 1, NOW_US + 2)

        await one.bill("req_1.1", 3 * USD, OTHER, now_us=NOW_US + 3)
        await one.store.close(one.holder, NOW_US + 4)
        await catch_up()

        state = await state_of(books, OTHER)
        assert (state.spent_nano_usd, state.unresolved_nano_usd) == (3 * USD, 0)
        assert await two.get(OTHER, 7 * USD)
        assert not await two.get(OTHER, 1)

    async def test_what_a_lost_holder_had_can_be_released_by_an_operator(
        self, one: Process, two: Process, books: LedgerBooks, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await two.say(now_us=NOW_US + 1)
        await one.store.give_up_lost(NOW_US + 1, NOW_US + 1, NOW_US + 2)

        assert await books.resolve("lost:hold_one", 0, NOW_US + 3) == 1
        await catch_up()

        assert await two.get(OTHER, 10 * USD)
