"""Opens what answers are kept in, as the configuration says.

With Redis, all instances share answers and hear each other through it; without, the workers of one machine
do so through a file of their own beside the database, which nobody misses when it is lost.
"""

import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

from adapters.crypto.entry_seal import AesGcmEntrySeal, key_of_this_process
from adapters.crypto.key_hash import installation_id
from adapters.crypto.sealed_cache_log import SealedCacheLog
from adapters.memory.fast_answers import InMemoryFastAnswers
from adapters.redis.answers import RedisAnswerStore
from adapters.redis.cache_log import RedisCacheLog
from adapters.redis.opening import open_redis
from adapters.sql.answers import SqlAnswerStore
from adapters.sql.cache_database import open_cache_database
from adapters.sql.cache_log import SqlCacheLog
from adapters.sql.thread import BlockingThread
from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.frames import DialectFrames
from application.caching.answer_cache import AnswerCache
from application.caching.beside import BesideCalls
from application.caching.hearing import Hearing
from application.caching.nearest import NearestQuestions
from application.caching.similar import SimilarAnswers
from application.caching.tiers import AnswerTiers
from application.caching.verified_book import VerifiedBook
from application.caching.write_behind import WriteBehind
from application.ports.answer_store import AnswerStore, CacheLog
from application.ports.entry_seal import EntrySeal
from application.ports.system import Clock, IdFactory
from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.caching.invalidation import RuleBook
from domain.caching.priors import prior_of
from domain.residency.sinks import Sink, Sinks
from entrypoints.caching import Caching
from entrypoints.questions_opening import open_questions
from entrypoints.settings import Settings
from entrypoints.store_container import StoreContainer
from entrypoints.vaulting import Vaulting

CACHE_FILE: Final = "cache.db"
QUESTIONS_FILE: Final = "questions.db"
SEAL_KEY_ID: Final = "1"


class _Shared(NamedTuple):
    """What instances share. No `store`: only the log, so that invalidations reach every worker."""

    store: AnswerStore | None
    log: CacheLog
    questions: CacheLog
    """Vectors and labels: many, and no harm done when the oldest are gone. Invalidations have their own."""
    upkeep: Callable[[], Awaitable[object]] | None


class OpenedTiers(NamedTuple):
    tiers: AnswerTiers
    hearing: Hearing
    questions: Hearing
    write_behind: WriteBehind | None
    store: AnswerStore | None
    upkeep: Callable[[], Awaitable[object]] | None


def _seal(settings: Settings, vaulting: Vaulting) -> EntrySeal | None:
    """Under the configured key, else under those of the vault, as soon as they are there."""
    cache = settings.cache
    if not cache.l2_encrypted:
        return None
    if (key := cache.seal_key()) is not None:
        return AesGcmEntrySeal({SEAL_KEY_ID: key})
    seal = AesGcmEntrySeal(key_of_this_process())
    vaulting.seals.append(seal.use)
    return seal


def open_tiers(
    stack: AsyncExitStack,
    settings: Settings,
    clock: Clock,
    ids: IdFactory,
    installation: str,
    seal: EntrySeal | None,
) -> OpenedTiers:
    """Nothing is connected to before the first use. Raises InvalidRequest for addresses that are none."""
    cache = settings.cache
    shared = _shared(
        stack,
        settings,
        clock,
        lambda: ids.next("epoch"),
        seal,
        installation,
    )
    hearing = Hearing(shared.log, clock, unheard_s=cache.unheard_s)
    write_behind = None if shared.store is None else WriteBehind(shared.store, clock)
    tiers = AnswerTiers(
        InMemoryFastAnswers(cache.l1_bytes, clock),
        shared.store,
        hearing,
        RuleBook(),
        write_behind,
        clock,
        l2_timeout_s=cache.l2_timeout_s,
    )
    questions = Hearing(shared.questions, clock)
    return OpenedTiers(tiers, hearing, questions, write_behind, shared.store, shared.upkeep)


def _shared(
    stack: AsyncExitStack,
    settings: Settings,
    clock: Clock,
    new_epoch: Callable[[], str],
    seal: EntrySeal | None,
    installation: str,
) -> _Shared:
    cache, storage = settings.cache, settings.storage
    redis = open_redis(
        None if storage.redis_url is None else storage.redis_url.get_secret_value(),
        storage.cluster_urls,
        connect_timeout_s=storage.redis_connect_timeout_s,
        command_timeout_s=storage.redis_command_timeout_s,
        binary=True,
    )
    if redis is not None:
        stack.push_async_callback(redis.aclose)
        answers = (
            RedisAnswerStore(redis, clock, seal=seal, installation=installation) if cache.l2_enabled else None
        )
        rules = RedisCacheLog(redis, new_epoch, installation=installation)
        questions = RedisCacheLog(redis, new_epoch, installation=installation, name="questions")
        return _Shared(answers, _sealed(rules, seal), _sealed(questions, seal), None)
    thread = BlockingThread("interchange-cache")
    stack.push_async_callback(thread.aclose)
    database = open_cache_database(settings.data_dir / CACHE_FILE, thread)
    stack.push_async_callback(database.aclose)
    log = _sealed(SqlCacheLog(database, new_epoch), seal)
    apart = open_cache_database(settings.data_dir / QUESTIONS_FILE, thread)
    stack.push_async_callback(apart.aclose)
    told = _sealed(SqlCacheLog(apart, new_epoch), seal)
    if not cache.l2_enabled:
        return _Shared(None, log, told, None)
    store = SqlAnswerStore(database, clock, seal=seal, bytes_max=cache.l2_bytes)
    return _Shared(store, log, told, store.upkeep)


def _sealed(log: CacheLog, seal: EntrySeal | None) -> CacheLog:
    return log if seal is None else SealedCacheLog(log, seal)


def _sinks(settings: Settings, sinks: Sinks) -> tuple[Sink, ...]:
    """Everything that kept answers and the vectors of their questions may reach."""
    storage = settings.storage
    shared = storage.redis_url is not None or storage.redis_cluster_urls
    vectors_in_database = storage.database_url is not None
    return (
        sinks.memory,
        sinks.disk,
        *((sinks.redis,) if shared else ()),
        *((sinks.database,) if vectors_in_database else ()),
    )


def open_caching(
    stack: AsyncExitStack,
    stores: StoreContainer,
    settings: Settings,
    *,
    database_url: str,
    peppers: dict[int, bytes],
) -> Caching:
    """Everything that answers again; `Caching.start` is for the lifespan. Raises InvalidRequest."""
    clock = stores.clock()
    # Several installations may use one Redis.
    seal = _seal(settings, stores.vaulting())
    opened = open_tiers(stack, settings, clock, stores.ids(), installation_id(peppers), seal)
    beside = BesideCalls(clock, concurrency=settings.cache.shadow_concurrency)
    reader = DialectCacheReader()
    questions = open_questions(stack, settings, clock, beside.spending, database_url)
    nearest = NearestQuestions(
        embedders=questions.embedders,
        embedder_id=questions.embedder_id,
        index=questions.index,
        book=VerifiedBook(prior_of(questions.embedder_id)),
        tiers=opened.tiers,
        reader=reader,
        clock=clock,
    )
    similar = SimilarAnswers(
        nearest,
        judge=questions.judge,
        hearing=opened.questions,
        invalidations=opened.hearing,
        beside=beside,
        chance=random.Random(),  # noqa: S311 - which hits are audited
        keepsakes=questions.keepsakes,
        index_is_shared=questions.index_is_shared,
    )
    cache = AnswerCache(
        tiers=opened.tiers,
        reader=reader,
        frames=DialectFrames(),
        clock=clock,
        similar=similar,
        sinks=_sinks(settings, stores.places().sinks),
    )
    cache.beside = beside

    def attach(pipeline: AnswerLlmRequest) -> None:
        beside.attach(pipeline)
        questions.attach(pipeline)

    return Caching(
        cache=cache,
        tiers=opened.tiers,
        hearing=opened.hearing,
        questions=opened.questions,
        beside=beside,
        similar=similar,
        store=opened.store,
        write_behind=opened.write_behind,
        upkeep=() if opened.upkeep is None else (opened.upkeep,),
        warm=questions.warm,
        attach=attach,
        problems=questions.problems,
    )
