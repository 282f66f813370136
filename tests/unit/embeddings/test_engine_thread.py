"""The thread of a model: batches, bounds, cancellation, failures. The model is scripted."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from adapters.embeddings import engine_thread
from adapters.embeddings.engine_thread import BATCH_TEXTS_MAX, QUEUE_MAX, EngineThread
from adapters.embeddings.model_files import ModelNotUsable
from domain.errors import StoreUnavailable


class ScriptedModel:
    """Waits at its gate before it computes, and notes every batch."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[int] = []
        self.failure: Exception | None = None

    def compute(self, texts: Sequence[Sequence[int]]) -> list[bytes]:
        self.batches.append(len(texts))
        self.entered.set()
        assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        return [bytes(ids) for ids in texts]


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    model = ScriptedModel()
    yield model
    model.gate.set()


@pytest.fixture
async def thread(model: ScriptedModel) -> AsyncIterator[EngineThread]:
    thread = EngineThread(lambda: model, lambda key, vector: None)
    yield thread
    model.gate.set()
    thread.close()


async def entered(model: ScriptedModel) -> None:
    await asyncio.get_running_loop().run_in_executor(None, model.entered.wait, 10)


def wanted(first: int, count: int) -> dict[bytes, Sequence[int]]:
    return {number.to_bytes(2): tuple(number.to_bytes(2)) for number in range(first, first + count)}


async def test_what_waits_is_computed_together_in_bounded_batches(
    model: ScriptedModel, thread: EngineThread
) -> None:
    one = asyncio.ensure_future(thread.vectors(wanted(0, 1)))
    await entered(model)
    rest = [asyncio.ensure_future(thread.vectors(wanted(number, 1))) for number in range(1, 21)]
    await asyncio.sleep(0)
    model.gate.set()
    await asyncio.gather(one, *rest)
    assert model.batches == [1, BATCH_TEXTS_MAX, 20 - BATCH_TEXTS_MAX]


async def test_equal_texts_that_wait_are_computed_once(model: ScriptedModel, thread: EngineThread) -> None:
    model.gate.set()
    answers = await asyncio.gather(*(thread.vectors(wanted(7, 2)) for _ in range(5)))
    assert sum(model.batches) == 2
    assert all(answer == answers[0] for answer in answers)


async def test_beyond_its_queue_it_refuses_at_once(model: ScriptedModel, thread: EngineThread) -> None:
    running = asyncio.ensure_future(thread.vectors(wanted(0, 1)))
    await entered(model)
    waiting = asyncio.ensure_future(thread.vectors(wanted(1, QUEUE_MAX)))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="wait for the embedding model"):
        await thread.vectors(wanted(QUEUE_MAX + 1, 1))
    model.gate.set()
    assert len(await running) + len(await waiting) == QUEUE_MAX + 1


async def test_who_leaves_does_not_take_the_text_from_others(
    model: ScriptedModel, thread: EngineThread
) -> None:
    leaving = asyncio.ensure_future(thread.vectors(wanted(0, 1)))
    staying = asyncio.ensure_future(thread.vectors(wanted(0, 1)))
    await entered(model)
    leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving
    model.gate.set()
    assert len(await staying) == 1


async def test_a_failed_batch_fails_who_waited_for_it_and_nobody_after(
    model: ScriptedModel, thread: EngineThread
) -> None:
    model.failure = RuntimeError("out of memory")
    model.gate.set()
    with pytest.raises(StoreUnavailable, match="out of memory"):
        await thread.vectors(wanted(0, 1))
    model.failure = None
    assert await thread.vectors(wanted(0, 1))


async def test_a_model_that_cannot_be_loaded_is_tried_again_later_only(
    model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def load() -> ScriptedModel:
        tries.append(1)
        if len(tries) == 1:
            raise ModelNotUsable("the file is gone")
        return model

    model.gate.set()
    thread = EngineThread(load, lambda key, vector: None)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="the file is gone"):
            await thread.vectors(wanted(0, 1))
    assert len(tries) == 1
    _pass(thread, engine_thread.LOAD_AGAIN_S)
    assert await thread.vectors(wanted(0, 1))
    thread.close()


async def test_closing_tells_whoever_waits(model: ScriptedModel, thread: EngineThread) -> None:
    waiting = asyncio.ensure_future(thread.vectors(wanted(0, 3)))
    await entered(model)
    thread.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await waiting
    with pytest.raises(StoreUnavailable, match="closed"):
        await thread.vectors(wanted(5, 1))


async def test_a_model_that_hangs_is_not_waited_for_for_ever(
    model: ScriptedModel, thread: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_thread, "WAIT_MAX_S", 0.02)
    with pytest.raises(StoreUnavailable, match="did not answer"):
        await thread.vectors(wanted(0, 1))


async def test_vectors_are_told_before_they_are_answered(model: ScriptedModel) -> None:
    told: list[bytes] = []
    keep: Callable[[bytes, bytes], None] = lambda key, vector: told.append(key)  # noqa: E731
    thread = EngineThread(lambda: model, keep)
    model.gate.set()
    assert list(await thread.vectors(wanted(0, 2))) == told
    thread.close()


def _pass(thread: EngineThread, seconds: float) -> None:
    """As if so much time had passed since the refusal."""
    thread._refused_until -= seconds
