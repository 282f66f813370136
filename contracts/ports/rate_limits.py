"""What every RateLimitStore promises."""

import asyncio
from itertools import count

import pytest

from application.ports.rate_limits import LimitLine, RateLimitStore
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable
from domain.limits.bucket import Asked, Credit, LimitRule

SLOW = LimitRule(3_600_000_000_000, 10 * 3_600_000_000_000, 0)
"""One in an hour, ten at once: nothing comes back while a test runs."""
FAST = LimitRule(1_000_000, 10_000_000, 0)
"""A thousand in a second, ten at once."""
_names = count(1)


def new_account() -> str:
    return f"lim_{next(_names):06d}"


def line(account_id: str, rule: LimitRule | None = SLOW, need: int = 0, **said: object) -> LimitLine:
    ends_us = 4_000_000_000_000_000 if rule is None else None
    return LimitLine(account_id, rule, 10, Asked(need, **said), ends_us)  # type: ignore[arg-type]


class RateLimitStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    rules: tuple[LimitRule | None, ...] = (SLOW, None)

    @pytest.fixture
    def store(self) -> RateLimitStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> RateLimitStore:
        raise NotImplementedError

    async def test_what_is_needed_is_granted_until_the_limit(self, store: RateLimitStore) -> None:
        for rule in self.rules:
            account = new_account()
            told = [
                (await store.exchange("h", number, [line(account, rule, 4)]))[0] for number in range(1, 4)
            ]

            assert [each.granted for each in told] == [4, 4, 0]
            assert [each.room for each in told] == [6, 2, 2]

    async def test_all_or_nothing_of_a_need_and_as_much_as_there_is_of_the_rest(
        self, store: RateLimitStore
    ) -> None:
        account = new_account()

        first, second = [
            (await store.exchange("h", number, [line(account, SLOW, 3, more=4, want=100)]))[0]
            for number in (1, 2)
        ]

        assert first.granted == 7 + (10 - 7) // 2
        assert second.granted == 0
        assert second.retry_in_us > 3_500_000_000

    async def test_a_bucket_fills_again_with_time(self, store: RateLimitStore) -> None:
        account = new_account()
        await store.exchange("h", 1, [line(account, FAST, 10)])

        await asyncio.sleep(0.05)
        (told,) = await store.exchange("h", 2, [line(account, FAST, 10)])

        assert told.granted == 10

    async def test_what_is_given_back_can_be_granted_again(self, store: RateLimitStore) -> None:
        for number, rule in enumerate(self.rules, 1):
            account = new_account()
            (first,) = await store.exchange("h1", number, [line(account, rule, 10)])

            (told,) = await store.exchange(
                "h2", number, [line(account, rule, 6, credits=(Credit(first.at_us, 6),))]
            )

            assert told.granted == 6

    async def test_a_debt_takes_room(self, store: RateLimitStore) -> None:
        for rule in self.rules:
            account = new_account()
            await store.exchange("h", 1, [line(account, rule, debt=8)])

            (told,) = await store.exchange("h", 2, [line(account, rule, 3)])

            assert (told.granted, told.room) == (0, 2)

    async def test_a_look_changes_nothing(self, store: RateLimitStore) -> None:
        for rule in self.rules:
            account = new_account()
            await store.exchange("h", 1, [line(account, rule, 3)])

            looks = [(await store.exchange("h", number, [line(account, rule)]))[0] for number in (2, 3)]

            assert [(each.granted, each.room) for each in looks] == [(0, 7), (0, 7)]

    async def test_more_than_ever_fits_is_said_to_never_fit(self, store: RateLimitStore) -> None:
        (told,) = await store.exchange("h", 1, [line(new_account(), SLOW, 11)])

        assert (told.granted, told.retry_in_us) == (0, -1)

    async def test_answers_come_in_the_order_of_the_lines(self, store: RateLimitStore) -> None:
        names = [new_account() for _ in range(5)]

        told = await store.exchange("h", 1, [line(each, SLOW, place + 1) for place, each in enumerate(names)])

        assert [each.granted for each in told] == [1, 2, 3, 4, 5]

    async def test_many_at_once_are_never_granted_more_than_there_is(self, store: RateLimitStore) -> None:
        for rule in self.rules:
            accounts = [new_account(), new_account()]
            answers = await asyncio.gather(
                *(store.exchange(f"h{n}", 1, [line(each, rule, 1) for each in accounts]) for n in range(15))
            )

            for place in range(2):
                assert sum(answer[place].granted for answer in answers) == 10

    async def test_its_clock_rises(self, store: RateLimitStore) -> None:
        account = new_account()

        moments = [
            (await store.exchange("h", number, [line(account, FAST, 1)]))[0].at_us for number in (1, 2, 3)
        ]

        assert moments == sorted(moments)

    async def test_tidying_forgets_nothing_that_counts(self, store: RateLimitStore) -> None:
        for rule in self.rules:
            account = new_account()
            await store.exchange("h", 1, [line(account, rule, 10)])

            await store.tidy()

            assert (await store.exchange("h", 2, [line(account, rule, 1)]))[0].granted == 0

    async def test_a_question_that_is_cancelled_does_no_harm(self, store: RateLimitStore) -> None:
        account = new_account()
        asking = asyncio.create_task(store.exchange("h", 1, [line(account, SLOW, 4)]))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

        (told,) = await store.exchange("h", 2, [line(account, SLOW, 4)])

        assert told.granted == 4

    async def test_a_store_that_is_away_says_so(self, unreachable_store: RateLimitStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.exchange("h", 1, [line(new_account(), SLOW, 1)])
