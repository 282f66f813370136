"""Embeddings from a provider, for comparing questions.

They take the whole way of a request in the name of whoever asked: guards, residency, budgets, and a row in
the usage under the same tenant. Nobody's question goes where its caller's demands do not let it go; then
there are no embeddings, and only exact answers are found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from application.caching.pipeline import Pipeline
from application.job import Job
from application.ports.embedder import Embedder
from application.ports.embedding_wire import EmbeddingWire
from application.ports.wire import OPENAI_EMBEDDINGS, RequestReader
from domain.errors import InterchangeError, StoreUnavailable
from domain.routing.requirements import Requirements

RUNNING_MAX: Final = 32
TIMEOUT_S: Final = 2.0

AskForVectors = Callable[[Sequence[str]], Awaitable[list[list[float]]]]


class Embedders(Protocol):
    """Who embeds a request's question."""

    def for_job(self, job: Job) -> Embedder: ...


class SameForAll(Embedders):
    """An embedder on this machine, which costs nothing and tells nobody."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def for_job(self, job: Job) -> Embedder:  # noqa: ARG002 - whoever asks
        return self._embedder


class GatewayEmbeddings(Embedders):
    """`model` is the `provider/model` that is asked; `make` makes an embedder of (tenant, how to ask)."""

    def __init__(
        self,
        *,
        model: str,
        reader: RequestReader,
        wire: EmbeddingWire,
        make: Callable[[str, AskForVectors], Embedder],
        timeout_s: float = TIMEOUT_S,
        running_max: int = RUNNING_MAX,
    ) -> None:
        self._model = model
        self._reader = reader
        self._wire = wire
        self._make = make
        self._timeout_s = timeout_s
        self._running_max = running_max
        self._running = 0
        self._pipeline: Pipeline | None = None

    def attach(self, pipeline: Pipeline) -> None:
        """Where requests go; before it there are no embeddings."""
        self._pipeline = pipeline

    def for_job(self, job: Job) -> Embedder:
        """In the name of this job's caller, under its demands."""

        async def ask(texts: Sequence[str]) -> list[list[float]]:
            return await self.embed(job, texts)

        return self._make(job.principal.tenant_id, ask)

    async def embed(self, first: Job, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text. Raises StoreUnavailable: nobody may or can give them, or not in time."""
        pipeline = self._pipeline
        if pipeline is None:
            raise StoreUnavailable("embeddings cannot be asked for yet")
        if self._running >= self._running_max:
            raise StoreUnavailable(f"{self._running_max} requests for embeddings are running already")
        self._running += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._asked(pipeline, first, texts)
        except TimeoutError:
            raise StoreUnavailable(f"{self._model} gave no embeddings within {self._timeout_s:g} s") from None
        except InterchangeError as error:
            raise StoreUnavailable(f"{self._model} gave no embeddings: {error.message}") from None
        finally:
            self._running -= 1

    async def _asked(self, pipeline: Pipeline, first: Job, texts: Sequence[str]) -> list[list[float]]:
        request = self._reader.read(OPENAI_EMBEDDINGS, self._wire.body(self._model, texts))
        demands = first.requirements
        job, live = await pipeline.begin(
            first.principal,
            request,
            Requirements(
                residency=demands.residency, compliance=demands.compliance, tags=demands.tags, affinity=False
            ),
            replace(first.attribution, client_request_id=first.request_id),
        )
        status, outcome, code = 0, "cancelled", ""
        try:
            answer = await pipeline.complete(job, live)
            vectors = self._wire.vectors(answer.body, len(texts))
            status, outcome = 200, "ok"
        except InterchangeError as error:
            outcome, code = "error", error.code
            raise
        except ValueError as error:
            # What was answered is no embedding, and was billed all the same.
            outcome, code = "error", StoreUnavailable.code
            raise StoreUnavailable(str(error)) from None
        finally:
            pipeline.end(job, status=status, outcome=outcome, error_code=code)
        return vectors
