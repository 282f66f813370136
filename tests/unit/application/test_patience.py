"""One timer for many waits: on time, never late, and honest about who cancelled."""

import asyncio

import pytest

from application.patience import Patience
from tests.unit.application.upstreams import virtually


async def after(delay_s: float, value: str = "done") -> str:
    await asyncio.sleep(delay_s)
    return value


@virtually
async def test_waits_within_the_limit_come_through_and_later_ones_do_not() -> None:
    patience = Patience()
    loop = asyncio.get_running_loop()
    for _ in range(20):
        assert await patience.wait(after(0.9), 1.0) == "done"
    began = loop.time()
    with pytest.raises(TimeoutError):
        await patience.wait(after(60), 1.0)
    assert loop.time() - began == pytest.approx(1.0)
    assert await patience.wait(after(0.5), 1.0) == "done", "usable after a time-out"
    patience.close()


@virtually
async def test_a_shorter_limit_after_a_longer_one_holds() -> None:
    patience = Patience()
    loop = asyncio.get_running_loop()
    await patience.wait(after(0.1), 100.0)
    began = loop.time()
    with pytest.raises(TimeoutError):
        await patience.wait(after(60), 2.0)
    assert loop.time() - began == pytest.approx(2.0)
    patience.close()


@virtually
async def test_a_foreign_cancellation_stays_one() -> None:
    patience = Patience()

    async def waiting() -> None:
        await patience.wait(after(60), 30.0)

    task = asyncio.create_task(waiting())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    patience.close()


@virtually
async def test_both_at_once_is_a_cancellation() -> None:
    patience = Patience()

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def waiting() -> None:
        await patience.wait(stubborn(), 1.0)

    task = asyncio.create_task(waiting())
    with pytest.raises(asyncio.CancelledError):
        await task
    patience.close()


@virtually
async def test_nothing_rings_between_waits_or_after_the_end() -> None:
    patience = Patience()
    await patience.wait(after(0.1), 1.0)
    await asyncio.sleep(10)
    assert await patience.wait(after(0.1), 1.0) == "done"
    patience.close()
    await asyncio.sleep(10)
