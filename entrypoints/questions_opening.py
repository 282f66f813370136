"""Opens what compares questions, as the configuration says: an embedder, an index, judges."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from adapters.disk.keepsakes import DiskKeepsakes
from adapters.embeddings.hashing import HashingEmbedder
from adapters.embeddings.minilm import MiniLm
from adapters.embeddings.opening import open_local, open_minilm
from adapters.embeddings.provider import ProviderVectors, dimensions_of
from adapters.redis.opening import open_redis
from adapters.redis.vectors import RedisVectorIndex
from adapters.sql.opening import open_database
from adapters.sql.thread import BlockingThread
from adapters.sql.vectors import PgVectorIndex
from adapters.vectors.opening import open_in_process
from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.embedding_vectors import OpenAiEmbeddings
from adapters.wire.heads import DialectReader
from application.caching.daily_spending import DailySpending
from application.caching.gateway_embeddings import Embedders, GatewayEmbeddings, SameForAll
from application.caching.judges import AskedJudge, JudgeChain, MeaningJudge, WordsJudge
from application.ports.answer_judge import AnswerJudge
from application.ports.embedder import Embedder
from application.ports.keepsakes import Keepsakes
from application.ports.system import Clock
from application.ports.vector_index import VectorIndex, VectorSnapshots
from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.errors import InvalidRequest
from entrypoints.settings import Settings

log = logging.getLogger("interchange")

DIRECTORY: Final = "cache"
CONNECTIONS_MAX: Final = 4


@dataclass(slots=True, kw_only=True)
class Questions:
    """What `SimilarAnswers` works with. `attach` hands the way of requests to whoever asks models."""

    embedders: Embedders
    embedder_id: str
    index: VectorIndex
    index_is_shared: bool
    judge: AnswerJudge
    keepsakes: Keepsakes
    warm: Callable[[], Awaitable[None]] | None
    """Loads what takes a while; None: nothing does."""
    problems: tuple[str, ...]
    """What an operator should know, such as a model that is not installed."""
    _asking: tuple[GatewayEmbeddings | AskedJudge, ...] = field(default=())

    def attach(self, pipeline: AnswerLlmRequest) -> None:
        for each in self._asking:
            each.attach(pipeline)


def open_questions(
    stack: AsyncExitStack, settings: Settings, clock: Clock, spending: DailySpending, database_url: str
) -> Questions:
    """Connects to nothing before the first use. Raises InvalidRequest for what cannot be had here."""
    cache = settings.cache
    problems: list[str] = []
    local = _local(settings, problems)
    asked: GatewayEmbeddings | None = None
    embedders: Embedders
    if local is None:
        dimensions = dimensions_of(cache.embedder, cache.embedder_dimensions)
        vectors = ProviderVectors(cache.embedder, dimensions)
        asked = GatewayEmbeddings(
            model=cache.embedder, reader=DialectReader(), wire=OpenAiEmbeddings(), make=vectors.embedder
        )
        embedder_id, embedders = vectors.id, asked
    else:
        stack.push_async_callback(local.aclose)
        dimensions, embedder_id, embedders = local.dimensions, local.id, SameForAll(local)
    index, snapshots = _index(stack, settings, clock, database_url, embedder_id, dimensions, problems)
    thread = BlockingThread("interchange-learned")
    stack.push_async_callback(thread.aclose)
    judges = [_judge(name, local, spending) for name in cache.judge]
    named: list[GatewayEmbeddings | AskedJudge] = [each for each in judges if isinstance(each, AskedJudge)]
    return Questions(
        embedders=embedders,
        embedder_id=embedder_id,
        index=index,
        index_is_shared=cache.vector_index != "in_process",
        judge=JudgeChain([each for each in judges if each is not None]),
        keepsakes=DiskKeepsakes(settings.data_dir / DIRECTORY, embedder_id, thread, snapshots),
        warm=local.warm if isinstance(local, MiniLm) else None,
        problems=tuple(problems),
        _asking=(*named, *(() if asked is None else (asked,))),
    )


def _local(settings: Settings, problems: list[str]) -> MiniLm | HashingEmbedder | None:
    """An embedder on this machine; None: a provider's model is configured."""
    cache = settings.cache
    models = cache.models_dir or settings.data_dir / "models"
    if cache.embedder == "auto":
        embedder, reason = open_local(models, cache.precision)
        if reason:
            problems.append(
                "similar questions: hashed words are used instead, and find only other word orders and small "
                f"edits; {reason}"
            )
        return embedder
    if cache.embedder == "minilm":
        return open_minilm(models, cache.precision)
    return HashingEmbedder() if cache.embedder == "hashing" else None


def _index(
    stack: AsyncExitStack,
    settings: Settings,
    clock: Clock,
    database_url: str,
    embedder_id: str,
    dimensions: int,
    problems: list[str],
) -> tuple[VectorIndex, VectorSnapshots | None]:
    cache, storage = settings.cache, settings.storage
    if cache.vector_index == "pgvector":
        thread = BlockingThread("interchange-vectors")
        stack.push_async_callback(thread.aclose)
        database = open_database(database_url, thread, connections_max=CONNECTIONS_MAX)
        stack.push_async_callback(database.aclose)
        return PgVectorIndex(database, embedder_id, dimensions, vectors_max=cache.vectors_max), None
    if cache.vector_index == "redis":
        redis = open_redis(
            None if storage.redis_url is None else storage.redis_url.get_secret_value(),
            storage.cluster_urls,
            connect_timeout_s=storage.redis_connect_timeout_s,
            command_timeout_s=storage.redis_command_timeout_s,
            binary=True,
        )
        if redis is None:
            raise InvalidRequest("needs REDIS_URL or REDIS_CLUSTER_URLS", param="cache.vector_index")
        return RedisVectorIndex(redis, clock, dimensions), None
    opened = open_in_process(embedder_id, dimensions, vectors_max=cache.vectors_max)
    if opened.reason and embedder_id.startswith("minilm"):
        problems.append(f"similar questions: {opened.reason}")
    return opened.index, opened.snapshots


def _judge(name: str, local: Embedder | None, spending: DailySpending) -> AnswerJudge | None:
    if name == "normalised":
        return WordsJudge()
    if name == "embedding":
        return None if local is None else MeaningJudge(local)
    return AskedJudge(name, DialectReader(), DialectCacheReader(), spending)
