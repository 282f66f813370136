"""What every CacheLog promises."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from application.ports.answer_store import CacheLog, LogRecord
from contracts.ports._base import PortContract
from domain.caching.entry import NOWHERE, Position
from domain.errors import StoreUnavailable


def record(number: int, kind: str = "vector") -> LogRecord:
    return LogRecord(kind, b"\x00\xff%d" % number)


async def all_of(log: CacheLog, after: Position = NOWHERE, page: int = 100) -> list[tuple[int, LogRecord]]:
    """Everything from a position on, page by page."""
    found: list[tuple[int, LogRecord]] = []
    while True:
        read = await log.read(after, page)
        found += read.records
        after = read.position
        if not read.records:
            return found


RECORDS_MAX = 40
"""What the logs of this suite are bound to keep."""


class CacheLogContract(PortContract):
    """Bind `log`, empty and of at most RECORDS_MAX records; `another_log`, as another process would open the
    same; `unreachable_log`; and `lose`, which takes everything away that it holds."""

    @pytest.fixture
    def log(self) -> CacheLog:
        raise NotImplementedError

    @pytest.fixture
    def another_log(self) -> CacheLog:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_log(self) -> CacheLog:
        raise NotImplementedError

    @pytest.fixture
    def lose(self) -> Callable[[], None]:
        raise NotImplementedError

    async def test_a_new_log_is_empty_and_has_an_epoch_that_stays(
        self, log: CacheLog, another_log: CacheLog
    ) -> None:
        page = await log.read(NOWHERE, 10)

        assert page.records == []
        assert page.position.epoch
        again = await another_log.read(page.position, 10)
        assert again == page._replace(lost=False)

    async def test_records_come_in_order_with_rising_positions_to_whoever_reads(
        self, log: CacheLog, another_log: CacheLog
    ) -> None:
        start = (await log.read(NOWHERE, 10)).position
        told = [record(1, "invalidate"), record(2, "vector"), record(3, "label")]
        last = await log.append(told[:2])
        last = await another_log.append(told[2:])

        for each in (log, another_log):
            page = await each.read(start, 10)
            numbers = [number for number, _ in page.records]
            assert [told for _, told in page.records] == told
            assert all(one < two for one, two in pairwise(numbers))
            assert page.position == last == Position(start.epoch, numbers[-1])
            assert not page.lost
            assert [told for _, told in await all_of(each)] == told

    async def test_a_position_at_the_end_reads_nothing_and_stays(self, log: CacheLog) -> None:
        last = await log.append([record(1)])

        page = await log.read(last, 10)

        assert page.records == []
        assert page.position == last
        assert not page.lost

    async def test_pages_follow_one_another_without_gaps(self, log: CacheLog) -> None:
        start = (await log.read(NOWHERE, 10)).position
        told = [record(n) for n in range(30)]
        await log.append(told)

        read, after = [], start
        for size in (7, 7, 7, 7, 2, 0):
            page = await log.read(after, 7)
            assert len(page.records) == size
            assert not page.lost
            read += [record for _, record in page.records]
            after = page.position

        assert read == told

    async def test_contents_of_any_size_come_back(self, log: CacheLog) -> None:
        told = [LogRecord("vector", b""), LogRecord("", bytes(range(256)) * 2_000), LogRecord("größe", b"x")]
        await log.append(told)

        assert [record for _, record in await all_of(log)] == told

    async def test_nothing_to_append_says_where_the_log_ends(self, log: CacheLog) -> None:
        start = (await log.read(NOWHERE, 10)).position
        assert await log.append([]) == start

        last = await log.append([record(1)])
        assert await log.append([]) == last

    async def test_many_who_append_at_once_lose_nothing_and_share_no_number(
        self, log: CacheLog, another_log: CacheLog
    ) -> None:
        start = (await log.read(NOWHERE, 10)).position

        last = await asyncio.gather(
            *((log, another_log)[n % 2].append([record(2 * n), record(2 * n + 1)]) for n in range(20))
        )

        read = await all_of(another_log, start)
        numbers = [number for number, _ in read]
        assert sorted(told for _, told in read) == sorted(record(n) for n in range(40))
        assert numbers == sorted(set(numbers))
        assert max(last).number == numbers[-1]
        for n, position in enumerate(last):
            at = numbers.index(position.number)
            assert [told for _, told in read[at - 1 : at + 1]] == [record(2 * n), record(2 * n + 1)]

    async def test_who_reads_while_others_append_misses_nothing(
        self, log: CacheLog, another_log: CacheLog
    ) -> None:
        after = (await log.read(NOWHERE, 10)).position
        heard: list[LogRecord] = []

        async def tell() -> None:
            for n in range(30):
                await another_log.append([record(n)])

        telling = asyncio.create_task(tell())
        while len(heard) < 30:
            page = await log.read(after, 5)
            assert not page.lost
            heard += [told for _, told in page.records]
            after = page.position
            await asyncio.sleep(0)
        await telling

        assert heard == [record(n) for n in range(30)]

    async def test_of_more_than_it_keeps_the_oldest_leave_and_who_was_behind_is_told(
        self, log: CacheLog
    ) -> None:
        start = (await log.read(NOWHERE, 10)).position
        early = await log.append([record(0)])
        for n in range(0, 2 * RECORDS_MAX, 10):
            await log.append([record(n + k) for k in range(10)])

        kept = await all_of(log)
        assert len(kept) == RECORDS_MAX
        assert [told for _, told in kept] == [record(n) for n in range(RECORDS_MAX, 2 * RECORDS_MAX)]
        for behind in (start, early, NOWHERE):
            page = await log.read(behind, 3)
            assert page.lost
            assert list(page.records) == kept[:3]
            assert not (await log.read(page.position, 3)).lost

    async def test_who_has_read_all_that_was_trimmed_lost_nothing(self, log: CacheLog) -> None:
        await log.append([record(n) for n in range(10)])
        read = (await log.read(NOWHERE, 10)).position
        await log.append([record(n) for n in range(RECORDS_MAX)])

        page = await log.read(read, 1)

        assert not page.lost
        assert [told for _, told in page.records] == [record(0)]

    async def test_another_epoch_is_lost_and_read_from_the_oldest_on(self, log: CacheLog) -> None:
        last = await log.append([record(1), record(2)])

        page = await log.read(Position("never heard of", last.number), 10)

        assert page.lost
        assert [told for _, told in page.records] == [record(1), record(2)]
        assert page.position == last

    async def test_a_log_that_was_lost_begins_another_epoch(
        self, log: CacheLog, another_log: CacheLog, lose: Callable[[], None]
    ) -> None:
        before = await log.append([record(n) for n in range(5)])
        await another_log.read(NOWHERE, 10)
        lose()

        last = await another_log.append([record(7)])
        page = await log.read(before, 10)

        assert last.epoch != before.epoch
        assert page.lost
        assert [told for _, told in page.records] == [record(7)]
        assert page.position == last
        assert not (await log.read(last, 10)).lost

    async def test_readers_notice_a_lost_log_before_anybody_appends(
        self, log: CacheLog, another_log: CacheLog, lose: Callable[[], None]
    ) -> None:
        before = await log.append([record(1)])
        lose()

        page = await log.read(before, 10)

        assert page.lost
        assert page.records == []
        assert page.position.epoch != before.epoch
        assert (await another_log.read(before, 10)) == page

    async def test_it_works_after_a_cancelled_call(self, log: CacheLog) -> None:
        for work in (log.append([record(1)]), log.read(NOWHERE, 10)):
            call: asyncio.Future[object] = asyncio.ensure_future(work)
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])

        last = await log.append([record(2)])

        # What was cancelled may still be written, and then after it.
        assert (last.number, record(2)) in await all_of(log)

    async def test_an_unreachable_log_says_so(self, unreachable_log: CacheLog) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_log.append([record(1)])
        with pytest.raises(StoreUnavailable):
            await unreachable_log.read(NOWHERE, 10)
