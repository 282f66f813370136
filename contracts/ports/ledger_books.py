"""What every LedgerStore and LedgerBooks promise about charges: posted once, resolved once, and counted
for as long as they count."""

from collections.abc import Awaitable, Callable

import pytest

from application.ports.ledger import (
    AccountFilter,
    AccountRow,
    LedgerBooks,
    UnresolvedEntry,
)
from contracts.ports.ledger import DAILY, OTHER, LedgerHoles
from contracts.ports.ledger_world import DAY_US, HOUR_US, NOW_US, SECOND_US, USD, Process, account
from domain.budgets.budget import Account
from domain.budgets.lease import AccountState
from domain.budgets.period import slot_length_us
from domain.budgets.posting import LINES_PATIENCE_US, HoldOutcome
from domain.errors import StoreUnavailable

SLIDING = account("acc_slide", 10 * USD, rolling_us=HOUR_US)
SOFT = account("acc_soft", USD, budget="bud_soft", hard=False)
UNRESOLVED = HoldOutcome.UNRESOLVED
CatchUp = Callable[[], Awaitable[None]]


async def state_of(books: LedgerBooks, about: Account) -> AccountState:
    (row,) = [row for row in await books.accounts(AccountFilter()) if row.account == about]
    return row.state


class LedgerChargesContract(LedgerHoles):
    """Postings and what becomes of unresolved ones."""

    async def test_a_charge_uses_up_the_lease(self, one: Process, books: LedgerBooks) -> None:
        await one.get(OTHER, 4 * USD)
        await one.bill("req_1.1", 3 * USD, OTHER)

        state = (await one.look(OTHER)).state
        assert state.spent_nano_usd == 3 * USD
        assert state.leased_nano_usd >= USD
        assert (await state_of(books, OTHER)).spent_nano_usd == 3 * USD

    async def test_spent_money_is_not_granted_again(
        self, one: Process, two: Process, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await one.bill("req_1.1", 7 * USD, OTHER)
        await one.give_back(OTHER, 3 * USD)
        await catch_up()

        assert await two.get(OTHER, 3 * USD)
        assert not await two.get(OTHER, 1)

    async def test_an_attempt_is_charged_once(
        self, one: Process, two: Process, books: LedgerBooks, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await one.bill("req_1.1", 4 * USD, OTHER)
        again = one.posting("req_1.1", 4 * USD, OTHER)
        other = one.posting("req_1.1", 9 * USD, OTHER)

        await one.store.post([again, again, other], NOW_US + SECOND_US)
        await catch_up()

        assert (await state_of(books, OTHER)).spent_nano_usd == 4 * USD
        await one.give_back(OTHER, 6 * USD)
        assert await two.get(OTHER, 6 * USD)

    async def test_a_posting_charges_all_its_accounts(self, one: Process, books: LedgerBooks) -> None:
        await one.say((DAILY, USD, 0), (OTHER, USD, 0), (SOFT, 0, 0))

        await one.bill("req_1.1", USD, DAILY, OTHER, SOFT)

        for each in (DAILY, OTHER, SOFT):
            assert (await state_of(books, each)).spent_nano_usd == USD

    async def test_a_soft_account_may_pass_its_limit(self, one: Process, books: LedgerBooks) -> None:
        await one.look(SOFT)

        await one.bill("req_1.1", 5 * USD, SOFT)

        state = await state_of(books, SOFT)
        assert (state.spent_nano_usd, state.leased_nano_usd) == (5 * USD, 0)

    async def test_a_soft_account_counts_the_estimate_of_what_is_unresolved(
        self, one: Process, books: LedgerBooks
    ) -> None:
        await one.say((OTHER, 4 * USD, 0), (SOFT, 0, 0))

        estimated = one.posting("req_1.1", 4 * USD, OTHER, SOFT, outcome=UNRESOLVED, cost=USD)
        await one.store.post([estimated], NOW_US)

        soft, hard = await state_of(books, SOFT), await state_of(books, OTHER)
        assert (soft.spent_nano_usd, soft.unresolved_nano_usd) == (USD, 0)
        assert (hard.spent_nano_usd, hard.unresolved_nano_usd) == (0, 4 * USD)

    async def test_a_charge_on_an_account_nobody_opened_counts_once_it_is(
        self, one: Process, catch_up: CatchUp
    ) -> None:
        await one.store.post([one.posting("req_1.1", USD, SOFT, SLIDING)], NOW_US)
        await catch_up()

        assert (await one.look(SOFT)).state.spent_nano_usd == USD
        assert (await one.look(SLIDING, NOW_US + SECOND_US)).state.spent_nano_usd == USD

    async def test_a_bill_beyond_its_bound_counts_in_full(
        self, one: Process, two: Process, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 4 * USD)
        await one.bill("req_1.1", 9 * USD, OTHER)
        await catch_up()

        assert not await two.get(OTHER, USD + 1)
        assert await two.get(OTHER, USD)

    async def test_amounts_beyond_the_integers_of_a_double_add_up(
        self, one: Process, books: LedgerBooks
    ) -> None:
        huge = account("acc_huge", 2**62)
        await one.get(huge, 2**61 + 1)

        await one.bill("req_1.1", 2**60 + 1, huge)
        await one.bill("req_1.2", 2**60, huge)

        assert (await state_of(books, huge)).spent_nano_usd == 2**61 + 1

    async def test_strange_attempt_ids_are_only_text(self, one: Process, books: LedgerBooks) -> None:
        await one.get(OTHER, 3 * USD)
        ids = ["'; DELETE FROM ledger; --.1", "%s:x?\\.2", "ünïcode 🧾.3", "r" * 300 + ".4", "r" * 300 + ".5"]

        for number, attempt_id in enumerate(ids):
            await one.bill(attempt_id, number + 1, OTHER, outcome=UNRESOLVED)

        assert [entry.attempt_id for entry in await books.unresolved(None)] == sorted(ids)
        for attempt_id in ids:
            assert await books.resolve(attempt_id, 0, NOW_US) == 1

    async def test_unresolved_charges_count_like_spent_ones(
        self, one: Process, two: Process, books: LedgerBooks, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await one.bill("req_1.1", 6 * USD, OTHER, outcome=UNRESOLVED)
        await one.give_back(OTHER, 4 * USD)
        await catch_up()

        state = await state_of(books, OTHER)
        assert (state.spent_nano_usd, state.unresolved_nano_usd) == (0, 6 * USD)
        assert not await two.get(OTHER, 4 * USD + 1)
        assert await two.get(OTHER, 4 * USD)

    async def test_a_later_posting_resolves_an_unresolved_one(
        self, one: Process, two: Process, books: LedgerBooks, catch_up: CatchUp
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await one.bill("req_1.1", 10 * USD, OTHER, outcome=UNRESOLVED)

        await one.store.post([one.posting("req_1.1", 3 * USD, OTHER)], NOW_US)
        await one.store.post([one.posting("req_1.1", 8 * USD, OTHER)], NOW_US)
        await catch_up()

        state = await state_of(books, OTHER)
        assert (state.spent_nano_usd, state.unresolved_nano_usd) == (3 * USD, 0)
        assert await two.get(OTHER, 7 * USD)
        assert not await two.get(OTHER, 1)

    async def test_an_unresolved_posting_changes_nothing_that_is_settled(
        self, one: Process, books: LedgerBooks
    ) -> None:
        await one.get(OTHER, 10 * USD)
        await one.bill("req_1.1", USD, OTHER)

        await one.store.post([one.posting("req_1.1", 9 * USD, OTHER, outcome=UNRESOLVED)], NOW_US)

        state = await state_of(books, OTHER)
        assert (state.spent_nano_usd, state.unresolved_nano_usd) == (USD, 0)

    async def test_an_operator_resolves_on_every_account(self, one: Process, books: LedgerBooks) -> None:
        await one.say((DAILY, 2 * USD, 0), (OTHER, 2 * USD, 0))
        await one.bill("req_1.1", 2 * USD, DAILY, OTHER, outcome=UNRESOLVED)

        assert await books.resolve("req_1.1", USD, NOW_US) == 2

        assert await books.unresolved(None) == []
        assert (await state_of(books, DAILY)).spent_nano_usd == USD
        assert (await state_of(books, OTHER)).spent_nano_usd == USD
        assert await books.resolve("req_1.1", 0, NOW_US) == 0
        assert await books.resolve("req_unknown.1", 0, NOW_US) == 0

    async def test_without_a_bill_the_held_amount_is_spent(self, one: Process, books: LedgerBooks) -> None:
        await one.get(OTHER, 2 * USD)
        await one.bill("req_1.1", 2 * USD, OTHER, outcome=UNRESOLVED)

        assert await books.resolve("req_1.1", None, NOW_US) == 1

        assert (await state_of(books, OTHER)).spent_nano_usd == 2 * USD

    async def test_after_the_deadline_what_is_unresolved_is_spent(
        self, one: Process, books: LedgerBooks
    ) -> None:
        await one.get(OTHER, 5 * USD)
        await one.bill("req_1.1", 2 * USD, OTHER, outcome=UNRESOLVED)
        await one.bill("req_2.1", 3 * USD, OTHER, outcome=UNRESOLVED, now_us=NOW_US + HOUR_US)

        assert await books.resolve_older(NOW_US + 1, NOW_US + DAY_US) == 1

        state = await state_of(books, OTHER)
        assert (state.spent_nano_usd, state.unresolved_nano_usd) == (2 * USD, 3 * USD)

    async def test_the_lines_of_a_batch_have_longer_than_others_until_their_deadline(
        self, one: Process, books: LedgerBooks
    ) -> None:
        await one.get(OTHER, 5 * USD)
        await one.bill("batch_1.lines", 2 * USD, OTHER, outcome=UNRESOLVED)

        assert await books.resolve_older(NOW_US + LINES_PATIENCE_US, NOW_US + DAY_US) == 0
        assert await books.resolve_older(NOW_US + LINES_PATIENCE_US + 1, NOW_US + DAY_US) == 1

        assert (await state_of(books, OTHER)).spent_nano_usd == 2 * USD

    async def test_sliding_windows_forget_late_but_never_early(
        self, one: Process, two: Process, catch_up: CatchUp
    ) -> None:
        await one.get(SLIDING, 10 * USD)
        await one.bill("req_1.1", 10 * USD, SLIDING)
        await catch_up()

        assert not await two.get(SLIDING, 1, now_us=NOW_US + HOUR_US)
        after = NOW_US + HOUR_US + slot_length_us(HOUR_US)
        assert await two.get(SLIDING, 10 * USD, now_us=after)

    async def test_sliding_windows_do_not_forget_what_is_unresolved(
        self, one: Process, two: Process, books: LedgerBooks, catch_up: CatchUp
    ) -> None:
        await one.get(SLIDING, 10 * USD)
        await one.bill("req_1.1", 10 * USD, SLIDING, outcome=UNRESOLVED)
        later = NOW_US + 5 * HOUR_US
        await catch_up()
        assert not await two.get(SLIDING, 1, now_us=later)

        await books.resolve("req_1.1", 4 * USD, later)
        await catch_up()

        assert not await two.get(SLIDING, 6 * USD + 1, now_us=later)
        assert await two.get(SLIDING, 6 * USD, now_us=later)

    async def test_a_clock_that_goes_back_forgets_nothing(
        self, one: Process, two: Process, catch_up: CatchUp
    ) -> None:
        await one.get(SLIDING, 10 * USD)
        await one.bill("req_1.1", 10 * USD, SLIDING)
        await catch_up()

        assert not await two.get(SLIDING, 1, now_us=NOW_US - 5 * HOUR_US)
        assert not await two.get(SLIDING, 1, now_us=NOW_US + HOUR_US - SECOND_US)

    async def test_nobody_sees_accounts_of_other_tenants(self, one: Process, books: LedgerBooks) -> None:
        theirs = account("acc_theirs", tenant="other", subject="agent=x", budget="bud_theirs")
        yesterday = account("acc_old", start_us=NOW_US - 2 * DAY_US, end_us=NOW_US - DAY_US)
        for each in (DAILY, theirs, yesterday):
            await one.get(each, USD)
            await one.bill(f"req_{each.account_id}.1", USD, each, outcome=UNRESOLVED)

        async def found(where: AccountFilter) -> list[str]:
            return [row.account.account_id for row in await books.accounts(where)]

        assert await found(AccountFilter()) == ["acc_one", "acc_theirs", "acc_old"]
        assert await found(AccountFilter(tenant_id="acme")) == ["acc_one", "acc_old"]
        assert await found(AccountFilter(tenant_id="acme", budget_id="bud_theirs")) == []
        assert await found(AccountFilter(subject="agent=x")) == ["acc_theirs"]
        assert await found(AccountFilter(current_at_us=NOW_US)) == ["acc_one", "acc_theirs"]
        assert len(await books.accounts(AccountFilter(), limit=2)) == 2
        assert [each.account_id for each in await books.unresolved("other")] == ["acc_theirs"]
        assert await books.unresolved("nobody") == []

    async def test_rows_say_everything_about_an_account(self, one: Process, books: LedgerBooks) -> None:
        await one.get(OTHER, USD)
        await one.bill("req_1.1", USD, OTHER, outcome=UNRESOLVED, now_us=NOW_US + 5)

        (row,) = await books.accounts(AccountFilter(budget_id="bud_two"))
        (entry,) = await books.unresolved("acme")

        assert isinstance(row, AccountRow)
        assert row.account == OTHER
        assert row.state == AccountState("acc_two", 10 * USD, 0, USD, row.state.leased_nano_usd)
        assert row.updated_at_us >= NOW_US
        assert entry == UnresolvedEntry("req_1.1", "acc_two", "acme", USD, one.holder, NOW_US + 5, "bud_two")

    async def test_an_unreachable_ledger_says_so(
        self, one: Process, books: LedgerBooks, lose: Callable[[], None], restore: Callable[[], None]
    ) -> None:
        await one.get(OTHER, USD)
        lose()

        with pytest.raises(StoreUnavailable):
            await one.store.post([one.posting("req_1.1", USD, OTHER)], NOW_US)
        with pytest.raises(StoreUnavailable):
            await one.store.give_up_lost(NOW_US, NOW_US, NOW_US)
        with pytest.raises(StoreUnavailable):
            await books.accounts(AccountFilter())
        with pytest.raises(StoreUnavailable):
            await books.unresolved(None)
        with pytest.raises(StoreUnavailable):
            await books.resolve("req_1.1", None, NOW_US)
        with pytest.raises(StoreUnavailable):
            await books.resolve_older(NOW_US, NOW_US)

        restore()
        await one.bill("req_1.1", USD, OTHER)
        assert (await state_of(books, OTHER)).spent_nano_usd == USD
