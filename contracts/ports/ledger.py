"""What every LedgerStore promises about leases. Beside it: `ledger_books` (charges), `ledger_losses`."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from application.ports.ledger import HolderFenced, LedgerBooks, LedgerStore
from contracts.ports._base import PortContract
from contracts.ports.ledger_world import DAY_US, HOUR_US, NOW_US, SECOND_US, USD, Process, account
from domain.errors import StoreUnavailable

DAILY = account()
OTHER = account("acc_two", 10 * USD, budget="bud_two", subject="agent=planner")


class LedgerHoles(PortContract):
    """Bind `store`, `books` on the same ledger, and `lose`/`restore`, which take its backend away and give it
    back. Where the store is a projection of the database, bind `catch_up` as well: it returns when the
    projection knows all that the database knows."""

    @pytest.fixture
    def store(self) -> LedgerStore:
        raise NotImplementedError

    @pytest.fixture
    def books(self) -> LedgerBooks:
        raise NotImplementedError

    @pytest.fixture
    def lose(self) -> Callable[[], None]:
        raise NotImplementedError

    @pytest.fixture
    def restore(self) -> Callable[[], None]:
        raise NotImplementedError

    @pytest.fixture
    def catch_up(self) -> Callable[[], Awaitable[None]]:
        async def nothing_to_do() -> None:
            return

        return nothing_to_do

    @pytest.fixture
    async def one(self, store: LedgerStore) -> Process:
        return await Process(store, "hold_one").open()

    @pytest.fixture
    async def two(self, store: LedgerStore) -> Process:
        return await Process(store, "hold_two").open()


class LedgerStoreContract(LedgerHoles):
    """Leases: granted, given back, never above the limit."""

    async def test_a_need_is_granted_and_counts_as_leased(self, one: Process) -> None:
        exchange = await one.say((DAILY, 3 * USD, 0))

        assert exchange.refused is None
        (answer,) = exchange.answers
        assert answer.granted_total >= 3 * USD
        assert answer.state.account_id == DAILY.account_id
        assert answer.state.limit_nano_usd == DAILY.limit_nano_usd
        assert answer.state.leased_nano_usd >= answer.granted_total
        assert answer.state.committed_nano_usd == 0

    async def test_looking_grants_nothing(self, one: Process) -> None:
        answer = await one.look(DAILY)

        assert answer.granted_total == 0
        assert answer.state.committed_nano_usd == 0

    async def test_an_exchange_without_lines_answers_nothing(self, one: Process) -> None:
        exchange = await one.say()

        assert exchange.answers == ()
        assert exchange.refused is None

    async def test_a_need_above_what_is_free_is_refused_and_named(self, one: Process) -> None:
        exchange = await one.say((OTHER, 10 * USD + 1, 0))

        assert exchange.refused == OTHER.account_id
        assert exchange.answers[0].granted_total == 0

    async def test_the_very_limit_can_be_leased(self, one: Process) -> None:
        assert await one.get(OTHER, 10 * USD)
        assert one.of(OTHER).granted == 10 * USD
        assert not await one.get(OTHER, 1)

    async def test_a_limit_of_zero_grants_nothing(self, one: Process) -> None:
        closed = account("acc_zero", 0)

        assert not await one.get(closed, 1)
        assert await one.get(closed, 0, want=USD)
        assert one.of(closed).granted == 0

    async def test_all_needs_are_met_or_none(self, one: Process) -> None:
        exchange = await one.say((DAILY, USD, USD), (OTHER, 11 * USD, 0))

        assert exchange.refused == OTHER.account_id
        assert [answer.granted_total for answer in exchange.answers] == [0, 0]
        assert await one.get(DAILY, DAILY.limit_nano_usd), "nothing of it was taken"

    async def test_answers_stand_in_the_order_of_the_lines(self, one: Process) -> None:
        exchange = await one.say((OTHER, USD, 0), (DAILY, 2 * USD, 0))

        assert [answer.state.account_id for answer in exchange.answers] == ["acc_two", "acc_one"]
        assert [answer.state.limit_nano_usd for answer in exchange.answers] == [10 * USD, 100 * USD]

    async def test_what_is_given_back_can_be_had_by_others(self, one: Process, two: Process) -> None:
        await one.get(OTHER, 10 * USD)
        assert not await two.get(OTHER, 4 * USD)

        await one.give_back(OTHER, 4 * USD)

        assert await two.get(OTHER, 4 * USD)
        assert not await two.get(OTHER, 1)

    async def test_what_is_given_back_is_taken_even_by_a_refused_exchange(
        self, one: Process, two: Process
    ) -> None:
        await one.get(OTHER, 10 * USD)
        one.of(OTHER).returned += 5 * USD

        exchange = await one.say((DAILY, 101 * USD, 0), (OTHER, 0, 0))

        assert exchange.refused == DAILY.account_id
        assert await two.get(OTHER, 5 * USD)

    async def test_giving_back_twice_gives_back_once(self, one: Process, two: Process) -> None:
        await one.get(OTHER, 10 * USD)
        await one.give_back(OTHER, 4 * USD)
        await one.look(OTHER)
        await one.look(OTHER)

        assert not await two.get(OTHER, 4 * USD + 1)

    async def test_an_older_total_takes_nothing_back(self, one: Process, two: Process) -> None:
        await one.get(OTHER, 10 * USD)
        await one.give_back(OTHER, 4 * USD)
        one.of(OTHER).returned = 0

        await one.look(OTHER)

        assert await two.get(OTHER, 4 * USD)

    async def test_nobody_gives_back_more_than_was_granted(self, one: Process, two: Process) -> None:
        await one.get(OTHER, 3 * USD)
        await one.give_back(OTHER, 50 * USD)

        assert await two.get(OTHER, 10 * USD)
        assert not await two.get(OTHER, 1)

    async def test_what_was_never_granted_cannot_be_given_back_in_advance(
        self, one: Process, two: Process
    ) -> None:
        await one.get(OTHER, 3 * USD)
        await one.give_back(OTHER, 50 * USD)

        await one.get(OTHER, 10 * USD)

        assert not await two.get(OTHER, 1)

    async def test_a_lost_answer_is_found_in_the_next(
        self, store: LedgerStore, one: Process, two: Process
    ) -> None:
        await store.exchange(one.holder, [one.line(OTHER, 6 * USD, 0)], NOW_US)

        answer = await one.look(OTHER)

        assert answer.granted_total == 6 * USD
        assert not await two.get(OTHER, 5 * USD), "what was granted counts, though nobody read it"
        await one.give_back(OTHER, 6 * USD)
        assert await two.get(OTHER, 10 * USD)

    async def test_totals_grow_over_many_exchanges(self, one: Process) -> None:
        seen = []
        for _ in range(5):
            await one.get(OTHER, USD)
            seen.append(one.of(OTHER).granted)

        assert seen == sorted(set(seen))
        assert 5 * USD <= seen[-1] <= 10 * USD

    async def test_a_slice_is_at_most_a_quarter_of_what_is_free(self, one: Process) -> None:
        await one.get(DAILY, USD, want=90 * USD)

        assert USD < one.of(DAILY).granted <= 25 * USD

    async def test_slices_are_smaller_when_more_processes_ask(self, one: Process, two: Process) -> None:
        await one.get(DAILY, USD, want=90 * USD)
        await two.get(DAILY, USD, want=90 * USD)

        assert USD < two.of(DAILY).granted < one.of(DAILY).granted

    async def test_near_the_limit_only_what_is_needed_is_granted(self, one: Process, two: Process) -> None:
        await one.get(DAILY, 99 * USD)

        assert await two.get(DAILY, 3, want=USD)

        assert two.of(DAILY).granted == 3

    async def test_who_keeps_what_others_wait_for_is_told(self, one: Process, two: Process) -> None:
        await one.get(OTHER, 10 * USD)
        assert not (await one.look(OTHER)).wanted

        await two.get(OTHER, 2 * USD)

        assert (await one.look(OTHER)).wanted
        assert not (await one.look(OTHER, NOW_US + 10 * SECOND_US)).wanted

    async def test_a_need_that_never_fits_makes_nobody_give_back(self, one: Process, two: Process) -> None:
        await one.get(OTHER, 5 * USD)
        await two.get(OTHER, 11 * USD)

        assert not (await one.look(OTHER)).wanted

    async def test_a_lowered_limit_grants_nothing_until_there_is_room(
        self, one: Process, two: Process
    ) -> None:
        await one.get(OTHER, 6 * USD)
        lower = OTHER._replace(limit_nano_usd=5 * USD)

        refused = await two.say((lower, 1, 0))

        assert refused.refused == OTHER.account_id
        assert refused.answers[0].state.limit_nano_usd == 5 * USD
        await one.give_back(lower, 2 * USD)
        assert await two.get(lower, USD)
        assert not await two.get(lower, 1)

    async def test_a_raised_limit_makes_room(self, one: Process) -> None:
        await one.get(OTHER, 10 * USD)

        assert await one.get(OTHER._replace(limit_nano_usd=20 * USD), 10 * USD)

    async def test_a_new_period_is_a_new_account(self, one: Process) -> None:
        await one.get(OTHER, 10 * USD)
        tomorrow = OTHER._replace(
            account_id="acc_three", period_start_us=NOW_US + DAY_US, period_end_us=NOW_US + 2 * DAY_US
        )

        assert await one.get(tomorrow, 10 * USD, now_us=NOW_US + DAY_US)
        assert not await one.get(OTHER, 1, now_us=NOW_US + DAY_US)

    async def test_leases_of_a_sliding_window_do_not_slide(self, one: Process, two: Process) -> None:
        sliding = account("acc_slide", 10 * USD, rolling_us=HOUR_US)
        await one.get(sliding, 10 * USD)

        assert not await two.get(sliding, 1, now_us=NOW_US + 3 * HOUR_US)

    async def test_amounts_beyond_the_integers_of_a_double_are_exact(
        self, one: Process, two: Process
    ) -> None:
        huge = account("acc_huge", 2**60 + 1)

        assert await one.get(huge, 2**60)
        assert one.of(huge).granted == 2**60
        assert await two.get(huge, 1)
        assert not await two.get(huge, 1)
        assert (await two.look(huge)).state.free_nano_usd == 0

    async def test_strange_subjects_and_names_are_only_text(self, one: Process) -> None:
        subject = 'agent=\'; DROP TABLE x; --&user={"a":1}%s\\ Ünïcode 🧾 \u202e'
        strange = account("acc_strange", subject=subject)._replace(name="100% 'sure' :name ?")

        assert await one.get(strange, USD)
        assert (await one.look(strange)).granted_total >= USD

    async def test_of_many_racing_for_the_last_cents_exactly_as_many_win_as_fit(
        self, store: LedgerStore
    ) -> None:
        processes = [await Process(store, f"hold_{number}").open() for number in range(8)]

        won = await asyncio.gather(*(each.get(OTHER, 3 * USD) for each in processes))

        assert sum(won) == 3
        assert sum(each.of(OTHER).granted for each in processes) == 9 * USD

    async def test_exchanges_in_opposite_orders_do_not_block_each_other(
        self, one: Process, two: Process
    ) -> None:
        async with asyncio.timeout(30):
            for _ in range(10):
                await asyncio.gather(
                    one.say((DAILY, 1, 0), (OTHER, 1, 0)), two.say((OTHER, 1, 0), (DAILY, 1, 0))
                )

        for each in (DAILY, OTHER):
            state = (await one.look(each)).state
            assert one.of(each).granted + two.of(each).granted <= state.leased_nano_usd

    async def test_an_unknown_holder_gets_nothing(self, store: LedgerStore) -> None:
        with pytest.raises(HolderFenced):
            await Process(store, "hold_never_opened").get(DAILY, 1)

    async def test_opening_twice_is_opening_once(self, one: Process, store: LedgerStore) -> None:
        await one.get(OTHER, 4 * USD)

        assert await store.open(one.holder, NOW_US) == one.payer
        assert (await one.look(OTHER)).granted_total == 4 * USD

    async def test_it_works_after_a_cancelled_call(self, one: Process) -> None:
        call = asyncio.create_task(one.get(OTHER, 4 * USD))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

        granted = (await one.look(OTHER)).granted_total

        assert granted in {0, 4 * USD}
        if not await one.get(OTHER, 10 * USD - granted):
            # What was cancelled was still on its way to the store when it was looked at.
            assert not granted and (await one.look(OTHER)).granted_total == 4 * USD
            assert await one.get(OTHER, 6 * USD)

    async def test_an_unreachable_ledger_says_so_and_comes_back(
        self, one: Process, store: LedgerStore, lose: Callable[[], None], restore: Callable[[], None]
    ) -> None:
        await one.get(OTHER, 4 * USD)
        lose()

        with pytest.raises(StoreUnavailable):
            await store.open("hold_three", NOW_US)
        with pytest.raises(StoreUnavailable):
            await one.get(OTHER, USD)
        with pytest.raises(StoreUnavailable):
            await store.close(one.holder, NOW_US)

        restore()
        answer = await one.look(OTHER)
        assert answer.granted_total >= 4 * USD
        assert await one.get(OTHER, 10 * USD - answer.granted_total)
