"""Opens what a process needs, owns its background tasks, and closes everything in order.

Order of closing matters: no new requests, then the transport, then usage is flushed, then the database.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from adapters.redis.connection import RedisConnection
from adapters.redis.opening import RedisFacts, open_redis, redis_facts
from adapters.sql.health import DatabaseHealth
from adapters.sql.opening import open_database
from adapters.sql.thread import BlockingThread
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_process import UsageProcess
from adapters.sql.usage_retention import UsageRetention
from adapters.system.clock import SystemClock
from application.use_cases.watch_budgets import LOOK_EVERY_S as FIGURES_EVERY_S
from entrypoints.access import start_keys
from entrypoints.access_opening import key_news
from entrypoints.alerting import InForce
from entrypoints.alerts_opening import open_alerting
from entrypoints.auditing import start_auditing
from entrypoints.background import BackgroundTasks, every, in_any_case
from entrypoints.cache_opening import open_caching
from entrypoints.cache_operations import LOOK_EVERY_S as CACHE_LOOK_EVERY_S
from entrypoints.containers import Container
from entrypoints.event_streams_opening import open_eventing
from entrypoints.events_opening import open_webhooking
from entrypoints.experimenting import start_experimenting
from entrypoints.faces import make_faces
from entrypoints.gateway_watch import watch_gateway
from entrypoints.http.app import Faces
from entrypoints.limiting import start_limiting
from entrypoints.live import LiveConfiguration, compiled
from entrypoints.money import Money, start_budgets
from entrypoints.own_acts import start_entering
from entrypoints.own_gauges import database_gauges, usage_gauges
from entrypoints.provider_endpoints import gateway_urls
from entrypoints.redis_status import RedisStatus
from entrypoints.settings import LoadedSettings, Settings
from entrypoints.starting import first_sources
from entrypoints.store_container import StoreContainer
from entrypoints.stores_opening import connection_shares, database_url, open_store_parts
from entrypoints.swapping import preparing
from entrypoints.tenancy import start_tenancy
from entrypoints.usage_opening import open_usage_and_money

log = logging.getLogger("interchange")

Built = Callable[[], None]
"""Told when all of a server stands: for what concerns the whole process, and so is its owner's to decide."""

KEY_REFRESH_EVERY_S = 0.5
PROVIDERS_LOOK_EVERY_S = 0.2
CATALOG_LOOK_EVERY_S = 60.0
AFFINITY_REFRESH_EVERY_S = 1.0
AFFINITY_FORGET_EVERY_S = 600.0
DISCOUNTS_LOOK_EVERY_S = 60.0
REDIS_LOOK_EVERY_S = 5.0
DATABASE_LOOK_EVERY_S = 5.0
RETENTION_EVERY_S = 6 * 3600.0


def _open_redis(settings: Settings) -> RedisConnection | None:
    storage = settings.storage
    return open_redis(
        None if storage.redis_url is None else storage.redis_url.get_secret_value(),
        storage.cluster_urls,
        connect_timeout_s=storage.redis_connect_timeout_s,
        command_timeout_s=storage.redis_command_timeout_s,
    )


async def redis_told(settings: Settings) -> RedisFacts | None:
    """What the configured Redis says of itself; None: there is none.

    Raises InvalidRequest for an address that is none, StoreUnavailable.
    """
    connection = _open_redis(settings)
    if connection is None:
        return None
    try:
        return await redis_facts(connection)
    finally:
        await connection.aclose()


@asynccontextmanager
async def open_faces(loaded: LoadedSettings, built: Built = lambda: None) -> AsyncIterator[Faces]:
    """A serving process, from settings to endpoints. Its owner is told when all is built."""
    settings = loaded.settings
    async with AsyncExitStack() as stack:
        parts = await open_store_parts(stack, settings, loaded.environ)
        stores = StoreContainer(**parts)
        sources = await first_sources(loaded, stores)
        provided = compiled(sources)
        thread = BlockingThread("interchange-usage")
        stack.push_async_callback(thread.aclose)
        usage_max, *_ = connection_shares(settings.storage.database_connections_max)
        writer_database = open_database(database_url(settings), thread, connections_max=usage_max)
        stack.push_async_callback(writer_database.aclose)
        redis = _open_redis(settings)
        if redis is not None:
            stack.push_async_callback(redis.aclose)
        redis_status = RedisStatus(None if redis is None else redis.health)
        eventing = open_eventing(stores, settings, redis)
        in_force = InForce()
        usage_log, apart, money = open_usage_and_money(
            *(stores, settings, writer_database, thread, redis, redis_status, eventing.interest),
            in_force,
        )
        caching = open_caching(
            stack, stores, settings, database_url=database_url(settings), peppers=parts["peppers"]
        )
        file_thread = BlockingThread("interchange-files")
        stack.push_async_callback(file_thread.aclose)
        container = Container(
            **parts,
            provision=provided,
            usage_log=usage_log,
            file_thread=file_thread,
            money=money,
            redis_status=redis_status,
            redis=redis,
            caching=caching,
            key_news=key_news(redis, stores.ids()),
            eventing=eventing,
            webhooking=open_webhooking(stores, settings),
        )
        caching.attach(container.answer_llm_request())
        parts["outgoing"].use(settings, provided, container.endpoints())
        parts["outgoing"].use_gateways(gateway_urls(settings))
        prepare, store = preparing(container, provided), container.route_store()
        live = LiveConfiguration(sources, provided, store=store, prepare=prepare, vaulting=parts["vaulting"])
        await _learn_first(container, live, settings)
        await usage_log.start()
        await start_budgets(money.follow, settings)
        tasks = BackgroundTasks()
        await start_auditing(stack, tasks, container.auditing())
        await start_limiting(container.limiting(), stack, tasks, settings)
        closing = (*apart, usage_log, money.leases, parts["outgoing"], tasks, caching)
        for part in closing:  # the last first
            stack.push_async_callback(part.aclose)
        stack.callback(container.privacy().close)
        await container.guarding().start(stack, tasks)
        await _start_tasks(stack, tasks, container, live, usage_log, apart, money)
        await container.vaulting().start(
            stack, tasks, settings, live.refresh_credentials, container.auditing().trail
        )
        alerting = open_alerting(container, in_force, lambda: live.settings)
        faces = make_faces(container, live, alerting)
        alerting.start(tasks)
        for name, work in faces.beside.items():
            tasks.start(name, work)
        await caching.start(tasks, lambda: container.runtime().snapshot[0])
        tasks.start("catalogue", lambda: _follow_catalog(live, container))
        built()
        yield faces


async def _learn_first(container: Container, live: LiveConfiguration, settings: Settings) -> None:
    """What has to be known before anybody is let in: tenants and keys."""
    await start_entering(container.auditing().trail, live, await container.bootstrap_first_key()())
    await start_tenancy(container.tenancy().follow, settings)
    await container.access().following.look()


async def _start_tasks(
    stack: AsyncExitStack,
    tasks: BackgroundTasks,
    container: Container,
    live: LiveConfiguration,
    usage_log: JournaledUsageLog,
    apart: tuple[UsageProcess, ...],
    money: Money,
) -> None:
    """Everything that runs beside requests."""
    settings, redis = live.settings, container.redis()
    if redis is not None:
        await redis.look()
        tasks.start("redis", partial(every, REDIS_LOOK_EVERY_S, redis.look))
    await container.integrating().start(tasks, settings)
    live.integrations = container.integrating().providers
    await live.refresh_integrations()
    tasks.start("providers", partial(every, PROVIDERS_LOOK_EVERY_S, live.refresh_integrations))
    await container.eventing().start(stack, tasks, container.runtime(), container.tooling().book)
    await container.webhooking().start(tasks, lambda: live.settings)
    tasks.start("usage log", usage_log.run)
    for process in apart:
        tasks.start("usage writer", process.run)
    tasks.start("leases", money.leases.run)
    tasks.start("ledger", money.keep.run)
    tasks.start("budgets", lambda: every(KEY_REFRESH_EVERY_S, money.follow.refresh))
    tasks.start("budget figures", lambda: every(FIGURES_EVERY_S, money.watch.look))
    retention = UsageRetention(container.reports(), retention_days=settings.storage.usage_retention_days)
    upkeep = partial(keep_usage_tidy, retention, container.clock())
    await in_any_case(upkeep)
    tasks.start("usage retention", lambda: every(RETENTION_EVERY_S, upkeep))
    tasks.start("usage log watch", lambda: _watch_usage_log(usage_log))
    tasks.start("tenants", lambda: every(KEY_REFRESH_EVERY_S, container.tenancy().follow.refresh))
    ring, guards = container.key_ring(), container.guarding().guards
    start_keys(stack, tasks, container.access(), ring, guards, container.tenant_book())
    tasks.start("routes", lambda: every(KEY_REFRESH_EVERY_S, live.refresh_routes))
    tasks.start("configuration", live.watch_file)
    container.identities().start(tasks)
    affinity = container.affinity()
    await in_any_case(affinity.load)
    stack.push_async_callback(in_any_case, affinity.refresh)
    tasks.start("affinity", lambda: every(AFFINITY_REFRESH_EVERY_S, affinity.refresh))
    tasks.start("affinity clean-up", lambda: every(AFFINITY_FORGET_EVERY_S, affinity.forget_old))
    pipeline = container.answer_llm_request()
    await start_experimenting(
        container.experimenting(), stack, tasks, live.settings, pipeline, container.runtime()
    )
    tasks.start("discounts", lambda: every(DISCOUNTS_LOOK_EVERY_S, container.apply_discounts()))
    tasks.start("batches", container.batching().watch.run)
    tasks.start("cache figures", partial(every, CACHE_LOOK_EVERY_S, container.cache_operations().look))
    memory = container.answer_memory()
    stack.push_async_callback(in_any_case, memory.flush)
    tasks.start("kept answers", memory.run)
    tasks.start("late bills", container.late_bills().run)
    container.recording().start(stack, tasks)
    container.analysing().start(tasks, lambda: live.settings)
    container.quality().start(stack, tasks, container.answer_llm_request())
    container.tooling().start(stack)
    container.traces().start(stack, tasks)
    tasks.start("erasures", container.erasing().carry_out.run)
    await _start_metrics(stack, tasks, container, usage_log)
    tasks.start("gateway", lambda: watch_gateway(live, container))


async def _start_metrics(
    stack: AsyncExitStack, tasks: BackgroundTasks, container: Container, usage_log: JournaledUsageLog
) -> None:
    """Shares what this worker counts with the others, where metrics are wanted."""
    if not container.settings().telemetry.metrics_enabled:
        return
    metrics, clock = container.instance_metrics(), container.clock()
    health = DatabaseHealth(container.database(), clock)
    metrics.sources += (
        lambda: database_gauges(health),
        lambda: usage_gauges(usage_log, clock.utc_now()),
    )
    tasks.start("database health", partial(every, DATABASE_LOOK_EVERY_S, health.look))
    await metrics.start()
    stack.push_async_callback(metrics.aclose)
    tasks.start("metrics", metrics.run)


async def keep_usage_tidy(retention: UsageRetention, clock: SystemClock) -> None:
    """Parts of the usage tables for the months to come; rows that are too old go."""
    if changed := await retention.run(clock.utc_now()):
        log.info("parts of the usage tables made or dropped: %s", ", ".join(changed))


async def _watch_usage_log(usage_log: JournaledUsageLog) -> None:
    """Tells the operator when usage can no longer be written, and when it can again."""
    told = True
    while True:
        healthy = usage_log.healthy
        if healthy != told:
            told = healthy
            if healthy:
                log.warning("usage is written again")
            else:
                log.error(
                    "usage cannot be written (disk full, or the database refuses it): %d rows wait, of which "
                    "%d are in memory only and would not survive a kill",
                    usage_log.waiting_rows,
                    usage_log.unjournaled_rows,
                )
        await asyncio.sleep(1.0)


async def _follow_catalog(live: LiveConfiguration, container: Container) -> None:
    """Takes a new day's prices into use: providers announce changes with a date."""
    while True:
        await asyncio.sleep(CATALOG_LOOK_EVERY_S)
        today = container.clock().utc_now().date()
        if today != live.priced_on:
            await live.take_catalog(await container.load_catalog()(), today)
