"""Which adapter stands behind each port. Builds objects; opens nothing.

The only file that imports the injection library, and with `lifespan.py` the only one that imports adapters.
What needs opening (transport, database, thread) comes in as a dependency from the lifespan.
"""

import random
from datetime import date

from dependency_injector import containers, providers

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.crypto.owner_key_file import PrivateOwnerKeyFile
from adapters.disk.file_contents import DiskFileContents
from adapters.embeddings.shelf import DiskModelShelf
from adapters.portkey.gateway import PortkeyGateway
from adapters.pricing.bundled import BundledPriceBook
from adapters.pricing.feed_sources import PublicFeeds
from adapters.privacy.detector import PatternDetector
from adapters.providers.batches import DirectBatches
from adapters.providers.direct import DirectProviders
from adapters.providers.identities import Authenticators
from adapters.providers.resources import DirectResources
from adapters.redis.connection import RedisConnection
from adapters.sql.affinity import SqlAffinityStore
from adapters.sql.batch_journal import DiskBatchJournals
from adapters.sql.batches import SqlBatchStore, SqlFileRecords
from adapters.sql.budgets import SqlBudgetStore
from adapters.sql.catalog import SqlCatalogStore
from adapters.sql.database import Database
from adapters.sql.keys import SqlKeyStore
from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_pools import SqlLedgerPools
from adapters.sql.outbox import SqlOutbox
from adapters.sql.request_rows import SqlRequestRows
from adapters.sql.routes import SqlRouteStore
from adapters.sql.stops import SqlStopStore
from adapters.sql.stored_answers import SqlStoredAnswers
from adapters.sql.thread import BlockingThread
from adapters.sql.usage_pages import SqlUsageRows
from adapters.sql.usage_query import SqlUsageQuery
from adapters.system.clock import SystemClock
from adapters.system.ids import TimeOrderedIds
from adapters.tables.formats import KnownTableFormats
from adapters.telemetry.metrics import PrometheusMetrics
from adapters.wire.batch_lines import JsonLines
from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.conversation_tails import WireTails
from adapters.wire.frames import DialectFrames
from adapters.wire.heads import DialectReader
from adapters.wire.kept_responses import ResponsesReading
from adapters.wire.text_fields import DialectTexts
from adapters.wire.warm_lines import JsonWarmLines
from application.affinity import AffinityBook
from application.answer_memory import AnswerMemory
from application.attempts import AttemptLoop
from application.offers import Offers
from application.ports.catalog import CatalogSource
from application.ports.keys import KeyNews
from application.ports.model_shelf import ModelShelf
from application.ports.usage import UsageLog
from application.role_book import RoleBook
from application.tenant_book import TenantBook
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.apply_discounts import ApplyDiscounts
from application.use_cases.catalog_queries import (
    CatalogUseCases,
    ListOfferings,
    ReportCatalogStatistics,
    ShowOffering,
)
from application.use_cases.describe_key import DescribeOwnKey
from application.use_cases.explain_route import ExplainRoute
from application.use_cases.export_usage import ExportUsage
from application.use_cases.import_keys import ImportKeys
from application.use_cases.keep_answers import KeepAnswers
from application.use_cases.late_bills import LateBills
from application.use_cases.list_models import ListModels
from application.use_cases.load_catalog import LoadCatalog
from application.use_cases.manage_keys import BootstrapFirstKey
from application.use_cases.read_requests import ReadRequests
from application.use_cases.read_usage import UsageUseCases
from application.use_cases.reconcile_invoice import ReconcileInvoice
from application.use_cases.report_costs import ReportCosts
from application.use_cases.report_usage import ReportUsage
from application.use_cases.stored_responses import StoredResponses
from application.use_cases.sync_catalog import ExportCatalog, ImportCatalog, SyncCatalog
from application.use_cases.watch_providers import ProvidersStatus, SteerProvider
from domain.resilience.retry_budget import RetryBudget
from entrypoints.access import make_key_ring
from entrypoints.access_opening import open_access
from entrypoints.auditing import Auditing
from entrypoints.batching import BatchParts, make_batching
from entrypoints.cache_operations import make_cache_operations
from entrypoints.caching import Caching
from entrypoints.compiling import compiled_runtime, failover_observer
from entrypoints.directories import batches_directory, files_directory, models_directory
from entrypoints.guarding import make_guarding
from entrypoints.http.entrance import Entrance
from entrypoints.limits_opening import open_limiting
from entrypoints.money import Money
from entrypoints.outgoing import Outgoing, make_outside
from entrypoints.places import make_places
from entrypoints.privacy import make_privacy
from entrypoints.provider_endpoints import (
    direct_endpoints,
    gateway_targets,
    gateway_urls,
    portkey_api_key,
    proving,
)
from entrypoints.provisioning import Provision
from entrypoints.redis_status import RedisStatus
from entrypoints.settings import Settings
from entrypoints.tenancy_opening import open_tenancy
from entrypoints.vaulting import Vaulting


def today(clock: SystemClock) -> date:
    """The date that decides which prices are in force."""
    return clock.utc_now().date()


def model_shelf(settings: Settings) -> ModelShelf:
    """What installs them, for commands."""
    return DiskModelShelf(models_directory(settings))


def bundled_only() -> CatalogSource:
    """The price book in force today, for commands that must not touch the data directory."""
    return BundledPriceBook(on=today(SystemClock()))


def command_clock() -> SystemClock:
    """The clock of commands that open no store."""
    return SystemClock()


class StoreContainer(containers.DeclarativeContainer):
    """What works on the data directory alone; the command line uses it without a running server."""

    settings = providers.Dependency(instance_of=Settings)
    database: providers.Dependency[Database] = providers.Dependency()
    reports: providers.Dependency[Database] = providers.Dependency()
    scoped: providers.Dependency[Database] = providers.Dependency()
    """The database as far as the caller reaches; `database` and `reports` are for every tenant."""
    scoped_reports: providers.Dependency[Database] = providers.Dependency()
    peppers: providers.Dependency[dict[int, bytes]] = providers.Dependency()
    vaulting = providers.Dependency(instance_of=Vaulting)

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(TimeOrderedIds)
    key_store = providers.Singleton(SqlKeyStore, database)
    key_hasher = providers.Singleton(PepperedKeyHasher, peppers)
    owner_key_file = providers.Singleton(PrivateOwnerKeyFile, settings.provided.key_file)
    catalog_store = providers.Singleton(SqlCatalogStore, database)
    usage_query = providers.Singleton(SqlUsageQuery, scoped_reports)
    usage_rows = providers.Singleton(SqlUsageRows, scoped_reports)
    request_rows = providers.Singleton(SqlRequestRows, scoped_reports)
    route_store = providers.Singleton(SqlRouteStore, database)
    ledger = providers.Singleton(SqlLedger, database)
    ledger_pools = providers.Singleton(SqlLedgerPools, database, ledger)
    ledger_books = providers.Singleton(SqlLedger, reports)
    budget_store = providers.Singleton(SqlBudgetStore, database)
    outbox = providers.Singleton(SqlOutbox, database)

    tenant_book = providers.Singleton(TenantBook)
    role_book = providers.Singleton(RoleBook)
    key_ring = providers.Singleton(
        make_key_ring, settings, key_store, key_hasher, clock, role_book, tenant_book
    )
    tenancy = providers.Singleton(open_tenancy, scoped, database, tenant_book, role_book, clock)
    places = providers.Singleton(make_places, settings, tenant_book)
    key_news: providers.Dependency[KeyNews] = providers.Dependency(default=providers.Object(None))
    access = providers.Singleton(
        open_access,
        *(settings, scoped, providers.Singleton(SqlKeyStore, scoped), key_hasher, peppers, owner_key_file),
        *(key_ring, clock),
        *(key_news, role_book, tenancy.provided.registry),
    )
    entrance = providers.Singleton(Entrance, key_ring, tenant_book, access.provided.turned_away)
    bootstrap_first_key = providers.Singleton(BootstrapFirstKey, key_store, key_hasher, clock, owner_key_file)
    import_keys = providers.Singleton(ImportKeys, key_store, key_hasher, clock)
    report_usage = providers.Singleton(ReportUsage, usage_query)
    usage_use_cases = providers.Singleton(
        UsageUseCases,
        report=report_usage,
        costs=providers.Singleton(ReportCosts, usage_query, clock),
        export=providers.Singleton(
            ExportUsage, usage_query, usage_rows, providers.Singleton(KnownTableFormats)
        ),
        reconcile=providers.Singleton(ReconcileInvoice, usage_rows),
        clock=clock,
    )
    read_requests = providers.Singleton(ReadRequests, request_rows)

    outgoing = providers.Dependency(instance_of=Outgoing)
    auditing = providers.Dependency(instance_of=Auditing)
    transport = outgoing.provided.providers
    outside = providers.Singleton(make_outside, outgoing, tenant_book)
    feeds = providers.Singleton(PublicFeeds, outside.provided.transport)
    bundled_prices = providers.Factory(BundledPriceBook, on=providers.Callable(today, clock))
    load_catalog = providers.Singleton(LoadCatalog, bundled=bundled_prices, store=catalog_store)
    catalog_use_cases = providers.Singleton(
        CatalogUseCases,
        list_offerings=providers.Singleton(ListOfferings, load_catalog),
        show_offering=providers.Singleton(ShowOffering, load_catalog),
        statistics=providers.Singleton(ReportCatalogStatistics, load_catalog),
        sync=providers.Singleton(SyncCatalog, feeds=feeds, store=catalog_store, clock=clock),
        import_catalog=providers.Singleton(ImportCatalog, feeds=feeds, store=catalog_store, clock=clock),
        export_catalog=providers.Singleton(
            ExportCatalog, load=load_catalog, feeds=feeds, store=catalog_store
        ),
    )


class Container(StoreContainer):
    """A serving process."""

    provision = providers.Dependency(instance_of=Provision)
    usage_log: providers.Dependency[UsageLog] = providers.Dependency()
    file_thread: providers.Dependency[BlockingThread] = providers.Dependency()
    money = providers.Dependency(instance_of=Money)
    redis_status = providers.Dependency(instance_of=RedisStatus, default=RedisStatus())
    redis: providers.Dependency[RedisConnection | None] = providers.Dependency()
    holds = money.provided.holds
    caching = providers.Dependency(instance_of=Caching)

    chance = providers.Singleton(random.Random)
    frames = providers.Singleton(DialectFrames)
    reader = providers.Singleton(DialectReader)
    metrics = providers.Singleton(PrometheusMetrics)
    runtime = providers.Singleton(compiled_runtime, StoreContainer.settings, provision)
    retry_budget = providers.Singleton(RetryBudget)

    prove = providers.Singleton(
        proving,
        providers.Singleton(
            Authenticators, StoreContainer.outgoing.provided.identities, StoreContainer.clock
        ),
    )
    endpoints = providers.Singleton(direct_endpoints, provision, prove)
    direct = providers.Singleton(
        DirectProviders,
        StoreContainer.transport,
        StoreContainer.clock,
        endpoints,
    )
    gateway = providers.Singleton(
        PortkeyGateway,
        StoreContainer.transport,
        StoreContainer.clock,
        providers.Callable(gateway_urls, StoreContainer.settings),
        providers.Callable(gateway_targets, provision),
        portkey_api_key=providers.Callable(portkey_api_key, StoreContainer.settings),
    )
    offers = providers.Singleton(Offers, direct, gateway)
    attempts = providers.Singleton(
        AttemptLoop,
        direct=direct,
        gateway=gateway,
        frames=frames,
        clock=StoreContainer.clock,
        chance=chance,
        retry_budget=retry_budget,
        on_failover=providers.Singleton(failover_observer, metrics),
        holds=holds,
    )
    resources = providers.Singleton(
        DirectResources,
        StoreContainer.transport,
        StoreContainer.clock,
        endpoints,
    )
    answer_memory = providers.Singleton(
        AnswerMemory,
        providers.Singleton(SqlStoredAnswers, StoreContainer.scoped),
        StoreContainer.clock,
        per_tenant_max=StoreContainer.settings.provided.responses.entries_per_tenant_max,
    )
    answer_reading = providers.Singleton(ResponsesReading)
    keep_answers = providers.Singleton(
        KeepAnswers,
        answer_memory,
        answer_reading,
        retention_s=StoreContainer.settings.provided.responses.retention_s,
    )
    affinity_store = providers.Singleton(SqlAffinityStore, StoreContainer.reports)
    affinity = providers.Singleton(
        AffinityBook, affinity_store, reader.provided.fingerprint, StoreContainer.clock
    )
    apply_discounts = providers.Singleton(
        ApplyDiscounts, runtime, StoreContainer.usage_query, StoreContainer.clock
    )
    guarding = providers.Singleton(
        make_guarding,
        providers.Singleton(SqlStopStore, StoreContainer.database),
        providers.Singleton(WireTails),
        StoreContainer.clock,
        StoreContainer.ids,
        StoreContainer.settings,
    )
    limiting = providers.Singleton(
        open_limiting,
        StoreContainer.database,
        redis,
        StoreContainer.tenant_book,
        StoreContainer.clock,
        StoreContainer.ids,
    )
    privacy = providers.Singleton(
        make_privacy,
        StoreContainer.settings,
        caching,
        StoreContainer.tenant_book,
        StoreContainer.peppers,
        providers.Singleton(DialectTexts),
        providers.Singleton(PatternDetector),
        reader,
    )
    answer_llm_request = providers.Singleton(
        AnswerLlmRequest,
        runtime=runtime,
        attempts=attempts,
        usage_log=usage_log,
        clock=StoreContainer.clock,
        ids=StoreContainer.ids,
        chance=chance,
        slots_max=StoreContainer.settings.provided.limits.max_concurrent_requests,
        observe=metrics.provided.observe,
        affinity=affinity,
        offers=offers,
        holds=holds,
        guards=guarding.provided.guards,
        cache=caching.provided.cache,
        limits=limiting.provided.book,
        places=StoreContainer.places,
        inspectors=providers.List(privacy),
    )
    late_bills = providers.Singleton(
        LateBills,
        memory=answer_memory,
        reading=answer_reading,
        resources=resources,
        runtime=runtime,
        pipeline=answer_llm_request,
        clock=StoreContainer.clock,
        money=money.provided.late,
    )
    stored_responses = providers.Singleton(
        StoredResponses, memory=answer_memory, reading=answer_reading, resources=resources, bills=late_bills
    )
    describe_own_key = providers.Singleton(
        DescribeOwnKey, StoreContainer.key_ring, StoreContainer.usage_query, StoreContainer.clock
    )
    explain_route = providers.Singleton(
        ExplainRoute, runtime, attempts, StoreContainer.clock, affinity, StoreContainer.places
    )
    cache_operations = providers.Singleton(
        make_cache_operations,
        caching=caching,
        runtime=runtime,
        pipeline=answer_llm_request,
        explain_route=explain_route,
        reader=reader,
        cache_reader=providers.Singleton(DialectCacheReader),
        lines=providers.Singleton(JsonWarmLines),
        usage=StoreContainer.usage_query,
        clock=StoreContainer.clock,
        places=StoreContainer.places,
        privacy=privacy,
    )
    list_models = providers.Singleton(ListModels, runtime)
    providers_status = providers.Singleton(ProvidersStatus, runtime, StoreContainer.clock)
    steer_provider = providers.Singleton(SteerProvider, runtime, StoreContainer.clock)

    file_contents = providers.Singleton(
        DiskFileContents, providers.Callable(files_directory, StoreContainer.settings), file_thread
    )
    batch_parts = providers.Singleton(
        BatchParts,
        settings=StoreContainer.settings,
        records=providers.Singleton(SqlFileRecords, StoreContainer.scoped),
        contents=file_contents,
        store=providers.Singleton(SqlBatchStore, StoreContainer.scoped),
        journals=providers.Singleton(
            DiskBatchJournals, providers.Callable(batches_directory, StoreContainer.settings), file_thread
        ),
        wire=providers.Singleton(JsonLines),
        providers=providers.Singleton(DirectBatches, resources),
        pipeline=answer_llm_request,
        runtime=runtime,
        key_ring=StoreContainer.key_ring,
        keep=keep_answers,
        places=StoreContainer.places,
        reader=reader,
        frames=frames,
        clock=StoreContainer.clock,
        ids=StoreContainer.ids,
        money=money.provided.batches,
        late_money=money.provided.late,
    )
    batching = providers.Singleton(make_batching, batch_parts)
