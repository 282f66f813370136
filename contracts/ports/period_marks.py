"""What every PeriodMarks promises."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from application.ports.outbox import OutboxEvent
from application.ports.period_marks import KEPT_US, PeriodMarks
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable

NOW_US = 1_772_368_215_123_456
START_US = 1_772_323_200_000_000


def event(number: int = 0) -> OutboxEvent:
    return OutboxEvent(f"report.ready:{number}", "report.ready", "acme", "{}", NOW_US)


class PeriodMarksContract(PortContract):
    """Bind `marks`, `told` (what was put into the outbox), and `unreachable_marks`."""

    @pytest.fixture
    def marks(self) -> PeriodMarks:
        raise NotImplementedError

    @pytest.fixture
    def told(self, marks: PeriodMarks) -> Callable[[], Awaitable[list[str]]]:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_marks(self) -> PeriodMarks:
        raise NotImplementedError

    async def test_a_mark_is_made_once_for_each_tenant_name_and_period(self, marks: PeriodMarks) -> None:
        assert not await marks.marked("acme", "weekly", START_US)
        assert await marks.mark("acme", "weekly", START_US, at_us=NOW_US)
        assert not await marks.mark("acme", "weekly", START_US, at_us=NOW_US)
        assert await marks.marked("acme", "weekly", START_US)
        assert await marks.mark("other", "weekly", START_US, at_us=NOW_US)
        assert await marks.mark("acme", "monthly", START_US, at_us=NOW_US)
        assert await marks.mark("acme", "weekly", START_US + 1, at_us=NOW_US)

    async def test_the_event_is_told_with_the_first_mark_alone(
        self, marks: PeriodMarks, told: Callable[[], Awaitable[list[str]]]
    ) -> None:
        made = await asyncio.gather(
            *(
                marks.mark("acme", "weekly", START_US, at_us=NOW_US, event=event(number))
                for number in range(6)
            )
        )

        assert made.count(True) == 1
        assert await told() == [event(made.index(True)).key]

    async def test_the_newest_mark_is_that_of_a_tenant_and_name(self, marks: PeriodMarks) -> None:
        assert await marks.newest("acme", "weekly") is None
        for start_us in (START_US + 2, START_US, START_US + 1):
            await marks.mark("acme", "weekly", start_us, at_us=NOW_US)
        await marks.mark("other", "weekly", START_US + 5, at_us=NOW_US)
        await marks.mark("acme", "monthly", START_US + 5, at_us=NOW_US)

        assert await marks.newest("acme", "weekly") == START_US + 2

    async def test_old_marks_make_room(self, marks: PeriodMarks) -> None:
        await marks.mark("acme", "weekly", START_US, at_us=NOW_US)
        await marks.mark("acme", "weekly", START_US + KEPT_US, at_us=START_US + KEPT_US + 1)

        assert not await marks.marked("acme", "weekly", START_US)

    async def test_an_unreachable_store_says_so(self, unreachable_marks: PeriodMarks) -> None:
        for ask in (
            unreachable_marks.marked("acme", "weekly", START_US),
            unreachable_marks.newest("acme", "weekly"),
            unreachable_marks.mark("acme", "weekly", START_US, at_us=NOW_US),
        ):
            with pytest.raises(StoreUnavailable):
                await ask
