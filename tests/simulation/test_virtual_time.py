"""The loop that never really waits."""

import asyncio
import time

import pytest

from tests.simulation.virtual_time import Deadlock, VirtualClock, run_virtual


def test_an_hour_of_waiting_takes_no_time() -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        before = VirtualClock(loop).monotonic()
        await asyncio.sleep(3600)
        return VirtualClock(loop).monotonic() - before

    began = time.process_time()
    assert run_virtual(wait()) == pytest.approx(3600)
    assert time.process_time() - began < 3600


def test_timers_fire_in_their_order() -> None:
    async def race() -> list[str]:
        order: list[str] = []

        async def after(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        await asyncio.gather(after(2, "second"), after(1, "first"), after(3, "third"))
        return order

    assert run_virtual(race()) == ["first", "second", "third"]


def test_a_timeout_ends_a_wait_at_its_moment() -> None:
    async def bounded() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.get_running_loop().create_future()
        return asyncio.get_running_loop().time()

    assert run_virtual(bounded()) == pytest.approx(5)


def test_waiting_for_what_never_comes_is_reported() -> None:
    async def hang() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run_virtual(hang())
