"""The thread beside the event loop."""

import asyncio
import threading

import pytest

from adapters.vectors.worker import Worker
from domain.errors import StoreUnavailable


async def test_too_many_jobs_are_refused_and_their_readers_let_go() -> None:
    worker = Worker("test", waiting_max=1)
    gate = threading.Event()
    first = asyncio.create_task(worker.call(gate.wait))
    await asyncio.sleep(0)
    let_go: list[str] = []

    with pytest.raises(StoreUnavailable, match="overloaded"):
        await worker.call(lambda: None, over=lambda: let_go.append("refused"))

    gate.set()
    await first
    assert let_go == ["refused"]
    await worker.aclose()


async def test_a_job_that_takes_too_long_goes_on_without_its_caller() -> None:
    worker = Worker("test")
    gate = threading.Event()
    over: list[str] = []

    with pytest.raises(StoreUnavailable, match="too slow"):
        await worker.call(gate.wait, over=lambda: over.append("late"), timeout_s=0.01)

    assert over == []
    gate.set()
    await worker.call(lambda: None)
    await asyncio.sleep(0)
    assert over == ["late"]
    await worker.aclose()


async def test_what_a_job_raises_reaches_its_caller() -> None:
    worker = Worker("test")

    with pytest.raises(ZeroDivisionError):
        await worker.call(lambda: 1 // 0)

    await worker.aclose()


async def test_a_closed_worker_takes_no_jobs_and_closes_once() -> None:
    worker = Worker("test")
    await worker.aclose()
    await worker.aclose()

    with pytest.raises(StoreUnavailable, match="closed"):
        await worker.call(lambda: None)
