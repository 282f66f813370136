"""The owner of what runs beside requests."""

import asyncio

import pytest

from entrypoints.background import BackgroundTasks


async def test_a_task_that_loses_a_cancellation_keeps_nobody_from_ending() -> None:
    begun, lost = asyncio.Event(), 0

    async def deaf_once() -> None:
        nonlocal lost
        begun.set()
        while not lost:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
        await asyncio.sleep(60)

    tasks = BackgroundTasks()
    tasks.CANCEL_AGAIN_AFTER_S = 0.01
    tasks.start("deaf", deaf_once)
    await begun.wait()

    await asyncio.wait_for(tasks.aclose(), 30)

    assert lost == 1
    assert all(task.done() for task in tasks._tasks)


async def test_a_task_that_never_ends_is_named(caplog: pytest.LogCaptureFixture) -> None:
    begun, free = asyncio.Event(), False

    async def deaf() -> None:
        begun.set()
        while not free:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        raise asyncio.CancelledError

    tasks = BackgroundTasks()
    tasks.CANCEL_AGAIN_AFTER_S = 0.01
    tasks.start("deaf", deaf)
    await begun.wait()

    await asyncio.wait_for(tasks.aclose(), 30)

    assert "did not end: deaf" in caplog.text
    free = True
    await asyncio.wait(tasks._tasks)


async def test_a_task_that_fails_begins_again() -> None:
    tries = asyncio.Queue[int]()

    async def failing() -> None:
        tries.put_nowait(1)
        raise RuntimeError("a bug")

    tasks = BackgroundTasks()
    tasks.RESTART_AFTER_S = 0.01
    tasks.start("failing", failing)
    for _ in range(3):
        assert await asyncio.wait_for(tries.get(), 30) == 1
    await tasks.aclose()
