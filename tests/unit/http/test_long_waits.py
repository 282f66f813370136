"""Who still waits after a moment is told so, once; who does not costs no timer."""

import asyncio

import pytest

from entrypoints.http import long_waits as module
from entrypoints.http.disconnect import DisconnectWatch
from entrypoints.http.long_waits import LongWaits, long_waits


class Waiter:
    def __init__(self) -> None:
        self.told = 0
        self.heard = asyncio.Event()

    def lasts(self) -> None:
        self.told += 1
        self.heard.set()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOTICE_AFTER_S", 0.01)


async def test_a_long_wait_is_told_once_and_an_ended_one_never() -> None:
    waits, long, ended = LongWaits(asyncio.get_running_loop()), Waiter(), Waiter()
    waits.begin(long)
    waits.begin(ended)
    waits.end(ended)
    waits.end(ended)
    await asyncio.wait_for(long.heard.wait(), 30)
    later = Waiter()
    waits.begin(later)  # the timer runs again for whoever comes after a pause
    await asyncio.wait_for(later.heard.wait(), 30)
    assert (long.told, ended.told, later.told) == (1, 0, 1)


async def test_nothing_is_held_of_a_wait_that_is_over() -> None:
    waits = LongWaits(asyncio.get_running_loop())
    for _ in range(100):
        waiter = Waiter()
        waits.begin(waiter)
        waits.end(waiter)
    assert not waits._new
    assert not waits._old


def test_each_event_loop_is_served_by_its_own_timer() -> None:
    async def told() -> int:
        waiter = Waiter()
        long_waits().begin(waiter)
        await asyncio.wait_for(waiter.heard.wait(), 30)
        return waiter.told

    assert [asyncio.run(told()) for _ in range(2)] == [1, 1]


async def test_a_caller_who_hangs_up_during_a_long_wait_cancels_it() -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    watch = DisconnectWatch(receive)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(30)
    assert watch.forgive()
    watch.stop()
