"""The thread a model computes in: what waits is taken together, equal texts once, and all of it bounded."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from adapters.embeddings.model import Model
from adapters.embeddings.model_files import ModelNotUsable
from application.ports.embedder import Vector
from domain.errors import StoreUnavailable

BATCH_TEXTS_MAX: Final = 16
BATCH_TOKENS_MAX: Final = 512
"""So that whoever comes last waits some twenty milliseconds at most for the batch before."""
QUEUE_MAX: Final = 256
WAIT_MAX_S: Final = 5.0
LOAD_AGAIN_S: Final = 30.0
"""After a model could not be loaded."""


class EngineThread:
    """Belongs to one event loop. Whoever stops waiting disturbs nobody who waits for the same text."""

    def __init__(self, load: Callable[[], Model], done: Callable[[bytes, Vector], None]) -> None:
        """`done` is told every vector, on the event loop, before whoever waits for it."""
        self._load = load
        self._done = done
        self._model: Model | None = None
        self._refusal = ""
        self._refused_until = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        self._waiting: OrderedDict[bytes, Sequence[int]] = OrderedDict()
        self._futures: dict[bytes, asyncio.Future[Vector | str]] = {}
        self._busy = False
        self._closed = False

    async def vectors(self, wanted: dict[bytes, Sequence[int]]) -> dict[bytes, Vector]:
        """One for each key. Raises StoreUnavailable: it cannot be loaded, or is too busy."""
        futures = {key: self._submitted(key, ids) for key, ids in wanted.items()}
        await self._settled(futures.values())
        return {key: _vector(future.result()) for key, future in futures.items()}

    def close(self) -> None:
        """Whoever waits is told that it is over; what computes now is not waited for. Idempotent."""
        self._closed = True
        self._waiting.clear()
        self._tell(tuple(self._futures), _CLOSED)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _submitted(self, key: bytes, ids: Sequence[int]) -> asyncio.Future[Vector | str]:
        loop = asyncio.get_running_loop()
        self._check(loop)
        future = self._futures.get(key)
        if future is None:
            if len(self._waiting) >= QUEUE_MAX:
                raise StoreUnavailable(f"{QUEUE_MAX} texts wait for the embedding model already")
            future = self._futures[key] = loop.create_future()
            self._waiting[key] = ids
            if not self._busy:
                # Whatever else is submitted before the loop comes round goes along.
                self._busy = True
                loop.call_soon(self._next, loop)
        return future

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._closed:
            raise StoreUnavailable(_CLOSED)
        if self._refusal and loop.time() < self._refused_until:
            raise StoreUnavailable(self._refusal)

    @staticmethod
    async def _settled(futures: Collection[asyncio.Future[Vector | str]]) -> None:
        """Waits without ever cancelling what others wait for, too."""
        if futures:
            _, pending = await asyncio.wait(futures, timeout=WAIT_MAX_S)
            if pending:
                raise StoreUnavailable(f"the embedding model did not answer within {WAIT_MAX_S:g} s")

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._closed or not self._waiting:
            self._busy = False
            return
        batch: dict[bytes, Sequence[int]] = {}
        tokens = 0
        while self._waiting and len(batch) < BATCH_TEXTS_MAX and tokens < BATCH_TOKENS_MAX:
            key, ids = self._waiting.popitem(last=False)
            batch[key] = ids
            tokens += len(ids)
        computing = loop.run_in_executor(self._thread, self._computed, tuple(batch.values()))
        computing.add_done_callback(lambda done: self._finished(loop, tuple(batch), done))

    def _finished(
        self, loop: asyncio.AbstractEventLoop, keys: tuple[bytes, ...], done: asyncio.Future[list[Vector]]
    ) -> None:
        error = _CLOSED if done.cancelled() else done.exception()
        if error is None:
            self._refusal = ""
            for key, vector in zip(keys, done.result(), strict=True):
                self._done(key, vector)
                self._tell((key,), vector)
        else:
            reason = str(error)
            if isinstance(error, ModelNotUsable):
                self._refusal, self._refused_until = reason, loop.time() + LOAD_AGAIN_S
                keys += tuple(self._waiting)
                self._waiting.clear()
            self._tell(keys, f"the embedding model failed: {reason}")
        self._next(loop)

    def _tell(self, keys: tuple[bytes, ...], outcome: Vector | str) -> None:
        for key in keys:
            future = self._futures.pop(key, None)
            if future is not None and not future.done():
                future.set_result(outcome)

    def _loaded(self) -> Model:
        if self._model is None:
            self._model = self._load()
        return self._model

    def _computed(self, texts: Sequence[Sequence[int]]) -> list[Vector]:
        return self._loaded().compute(texts)


_CLOSED: Final = "the embedding model is closed"


def _vector(outcome: Vector | str) -> Vector:
    if isinstance(outcome, str):
        raise StoreUnavailable(outcome)
    return outcome
