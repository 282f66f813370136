"""Opens what a process needs, owns its background tasks, and closes everything in order.

Order of closing matters: no new requests, then the transport, then usage is flushed, then the database.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from adapters.crypto.key_hash import load_peppers
from adapters.redis.connection import RedisConnection
from adapters.redis.opening import RedisFacts, open_redis, redis_facts
from adapters.sql.administration import DatabaseAdministration
from adapters.sql.database import Database, sqlite_path
from adapters.sql.everywhere import ForEveryTenant
from adapters.sql.opening import REPORT_TIMEOUT_S, open_database
from adapters.sql.postgres_url import is_postgres
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import current, upgrade
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_retention import UsageRetention
from adapters.system.clock import SystemClock
from application.reach import reach_everything
from application.use_cases.watch_budgets import LOOK_EVERY_S as FIGURES_EVERY_S
from domain.errors import StoreUnavailable
from entrypoints.access import start_keys
from entrypoints.access_opening import key_news
from entrypoints.audit_opening import open_auditing
from entrypoints.auditing import start_auditing
from entrypoints.background import BackgroundTasks, every, in_any_case
from entrypoints.cache_opening import open_caching
from entrypoints.cache_operations import LOOK_EVERY_S as CACHE_LOOK_EVERY_S
from entrypoints.containers import Container
from entrypoints.event_streams_opening import open_eventing
from entrypoints.events_opening import open_webhooking
from entrypoints.faces import make_faces
from entrypoints.gateway_watch import watch_gateway
from entrypoints.http.app import Faces
from entrypoints.limiting import start_limiting
from entrypoints.live import LiveConfiguration, compiled
from entrypoints.money import Money, start_budgets
from entrypoints.outgoing import open_outgoing
from entrypoints.own_acts import start_entering
from entrypoints.provider_endpoints import gateway_urls
from entrypoints.redis_status import RedisStatus
from entrypoints.settings import LoadedSettings, Settings
from entrypoints.starting import first_sources, leave_out_of_collections
from entrypoints.store_container import StoreContainer
from entrypoints.swapping import preparing
from entrypoints.tenancy import start_tenancy
from entrypoints.usage_opening import open_usage_and_money
from entrypoints.vault_opening import open_vault

log = logging.getLogger("interchange")

KEY_REFRESH_EVERY_S = 0.5
PROVIDERS_LOOK_EVERY_S = 0.2
CATALOG_LOOK_EVERY_S = 60.0
AFFINITY_REFRESH_EVERY_S = 1.0
AFFINITY_FORGET_EVERY_S = 600.0
DISCOUNTS_LOOK_EVERY_S = 60.0
REDIS_LOOK_EVERY_S = 5.0
DATABASE_FILE = "interchange.db"
RETENTION_EVERY_S = 6 * 3600.0


def database_url(settings: Settings) -> str:
    """The configured database, or the embedded one in the data directory."""
    if settings.storage.database_url is not None:
        return settings.storage.database_url.get_secret_value()
    return f"sqlite:///{settings.data_dir / DATABASE_FILE}"


def administered(settings: Settings) -> DatabaseAdministration:
    """The configured database, as commands look at it."""
    return DatabaseAdministration(database_url(settings))


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


def has_data(settings: Settings) -> bool:
    """Whether a server kept anything there already.

    False where PostgreSQL cannot be asked: configurations are checked on machines that do not reach it, too.
    """
    if not is_postgres(url := database_url(settings)):
        return Path(sqlite_path(url)).exists()
    try:
        return current(url) is not None
    except StoreUnavailable:
        return False


@asynccontextmanager
async def open_stores(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[StoreContainer]:
    """The stores of the data directory, brought to the shipped schema."""
    async with AsyncExitStack() as stack:
        parts = await _open_store_parts(stack, settings, environ)
        yield StoreContainer(**parts)


async def _open_store_parts(
    stack: AsyncExitStack, settings: Settings, environ: Mapping[str, str]
) -> dict[str, Any]:
    reach_everything()  # what is opened here serves everybody; the entrance narrows what a caller reaches
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = database_url(settings)
    _, reports_max, rest_max = connection_shares(settings.storage.database_connections_max)
    scoped = await _open_database(stack, "interchange-sql", url, rest_max, upgrade_first=True)
    # Reports read many rows; keys and usage must never wait behind them.
    scoped_reports = await _open_database(stack, "interchange-reports", url, reports_max, REPORT_TIMEOUT_S)
    database, reports = ForEveryTenant(scoped), ForEveryTenant(scoped_reports)
    peppers = load_peppers(settings.data_dir, environ.get("INTERCHANGE_KEY_PEPPER"))
    outgoing = open_outgoing(stack, settings)
    return {
        "settings": settings,
        "database": database,
        "reports": reports,
        "scoped": scoped,
        "scoped_reports": scoped_reports,
        "peppers": peppers,
        "outgoing": outgoing,
        "auditing": open_auditing(settings, environ, peppers, database, reports, outgoing.others),
        "vaulting": open_vault(stack, settings, environ, database, outgoing.identities),
    }


def connection_shares(connections_max: int) -> tuple[int, int, int]:
    """How many of a process's connections are for writing usage, for reports, and for everything else."""
    usage = 2 if connections_max >= 6 else 1
    reports = max(1, connections_max * 3 // 10)
    return usage, reports, connections_max - usage - reports


async def _open_database(
    stack: AsyncExitStack,
    name: str,
    url: str,
    connections_max: int,
    timeout_s: float | None = None,
    *,
    upgrade_first: bool = False,
) -> Database:
    """A database with a thread of its own; both are closed by the stack."""
    thread = BlockingThread(name)
    stack.push_async_callback(thread.aclose)
    if upgrade_first:
        await thread.call(lambda: upgrade(url))
    database = open_database(url, thread, connections_max=connections_max, timeout_s=timeout_s)
    stack.push_async_callback(database.aclose)
    return database


@asynccontextmanager
async def open_faces(loaded: LoadedSettings) -> AsyncIterator[Faces]:
    """A serving process, from settings to endpoints."""
    settings = loaded.settings
    async with AsyncExitStack() as stack:
        parts = await _open_store_parts(stack, settings, loaded.environ)
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
        usage_log, money = open_usage_and_money(
            *(stores, settings, writer_database, thread, redis, redis_status, eventing.interest.wants)
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
        await start_entering(container.auditing().trail, live, await container.bootstrap_first_key()())
        await start_tenancy(container.tenancy().follow, settings)
        await container.access().following.look()
        await usage_log.start()
        await start_budgets(money.follow, settings)
        tasks = BackgroundTasks()
        await start_auditing(stack, tasks, container.auditing())
        await start_limiting(container.limiting(), stack, tasks, settings)
        stack.push_async_callback(usage_log.aclose)
        stack.push_async_callback(money.leases.aclose)
        stack.push_async_callback(parts["outgoing"].aclose)
        stack.push_async_callback(tasks.aclose)
        stack.push_async_callback(caching.aclose)
        stack.callback(container.privacy().close)
        await container.guarding().start(stack, tasks)
        await _start_tasks(stack, tasks, container, live, usage_log, money)
        await container.vaulting().start(
            stack, tasks, settings, live.refresh_credentials, container.auditing().trail
        )
        faces = make_faces(container, live)
        for name, work in faces.beside.items():
            tasks.start(name, work)
        await caching.start(tasks, lambda: container.runtime().snapshot[0])
        tasks.start("catalogue", lambda: _follow_catalog(live, container))
        leave_out_of_collections()
        yield faces


async def _start_tasks(
    stack: AsyncExitStack,
    tasks: BackgroundTasks,
    container: Container,
    live: LiveConfiguration,
    usage_log: JournaledUsageLog,
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
    tasks.start("discounts", lambda: every(DISCOUNTS_LOOK_EVERY_S, container.apply_discounts()))
    tasks.start("batches", container.batching().watch.run)
    tasks.start("cache figures", partial(every, CACHE_LOOK_EVERY_S, container.cache_operations().look))
    memory = container.answer_memory()
    stack.push_async_callback(in_any_case, memory.flush)
    tasks.start("kept answers", memory.run)
    tasks.start("late bills", container.late_bills().run)
    container.recording().start(stack, tasks)
    container.tooling().start(stack)
    tasks.start("erasures", container.erasing().carry_out.run)
    tasks.start("gateway", lambda: watch_gateway(live, container))


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
