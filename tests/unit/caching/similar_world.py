"""Instances that answer similar questions, over one store and one log in memory."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.embeddings.hashing import HashingEmbedder
from adapters.memory.answer_store import InMemoryAnswerStore
from adapters.memory.cache_log import InMemoryCacheLog
from adapters.memory.fast_answers import InMemoryFastAnswers
from adapters.vectors.plain import PlainVectorIndex
from application.caching.gateway_embeddings import SameForAll
from application.caching.hearing import Hearing
from application.caching.judges import JudgeChain, WordsJudge
from application.caching.nearest import NearestQuestions
from application.caching.similar import SimilarAnswers
from application.caching.tiers import AnswerTiers
from application.caching.verified_book import VerifiedBook
from application.caching.write_behind import WriteBehind
from application.ports.embedder import Embedder, Vector
from application.ports.system import Clock
from domain.caching.invalidation import RuleBook
from domain.caching.policy import CachePolicy
from domain.caching.priors import prior_of
from domain.errors import StoreUnavailable
from tests.unit.application.upstreams import Scripts
from tests.unit.caching.caching_world import CachingBench

BYTES_MAX = 50_000_000


class FlakyEmbedder(HashingEmbedder):
    """May fail, or take its time."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Callable[[], Awaitable[None]] | None = None
        self.broken = False

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        if self.waits is not None:
            await self.waits()
        if self.broken:
            raise StoreUnavailable("no model")
        return await super().embed(texts)


@dataclass
class Shared:
    """What instances have in common."""

    clock: Clock
    store: InMemoryAnswerStore
    log: InMemoryCacheLog
    questions: InMemoryCacheLog


def shared(clock: Clock) -> Shared:
    return Shared(clock, InMemoryAnswerStore(clock), InMemoryCacheLog(), InMemoryCacheLog())


class SimilarBench(CachingBench):
    """One instance. `tick` lets everything that runs beside requests come to its end."""

    def __init__(
        self, direct: Scripts, policy: CachePolicy, *, common: Shared | None = None, **more: Any
    ) -> None:
        super().__init__(direct, policy, **more)
        clock = self.bench.clock
        self.common = common or shared(clock)
        self.hearing = Hearing(self.common.log, clock)
        self.questions = Hearing(self.common.questions, clock)
        self.writes = WriteBehind(self.common.store, clock)
        self.tiers = AnswerTiers(
            InMemoryFastAnswers(BYTES_MAX, clock),
            self.common.store,
            self.hearing,
            RuleBook(),
            self.writes,
            clock,
        )
        self.embedder = FlakyEmbedder()
        embedder: Embedder = self.embedder
        self.book = VerifiedBook(prior_of(embedder.id))
        self.index = PlainVectorIndex(embedder.id, embedder.dimensions)
        self.nearest = NearestQuestions(
            embedders=SameForAll(embedder),
            embedder_id=embedder.id,
            index=self.index,
            book=self.book,
            tiers=self.tiers,
            reader=self.reader,
            clock=clock,
        )
        self.similar = SimilarAnswers(
            self.nearest,
            judge=JudgeChain([WordsJudge()]),
            hearing=self.questions,
            invalidations=self.hearing,
            beside=self.beside,
            chance=random.Random(3),
        )
        self.cache.tiers, self.cache.similar = self.tiers, self.similar

    async def start(self) -> None:
        """Hears what there is."""
        await self.hearing.catch_up()
        await self.questions.catch_up()

    async def tick(self) -> None:
        """What waits is kept, told, heard and compared."""
        for _ in range(3):
            await self.similar.work_off()
            await self.questions.flush(1.0)
            await self.writes.flush(1.0)
            await self.hearing.catch_up()
            await self.questions.catch_up()
