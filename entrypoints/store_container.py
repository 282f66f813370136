"""What stands behind the ports of what works without a serving process. Builds objects; opens nothing.

Beside `containers.py` the only file that imports the injection library.
"""

from datetime import date
from functools import partial

from dependency_injector import containers, providers

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.crypto.owner_key_file import PrivateOwnerKeyFile
from adapters.embeddings.shelf import DiskModelShelf
from adapters.pricing.bundled import BundledPriceBook
from adapters.pricing.feed_sources import PublicFeeds
from adapters.sql.budgets import SqlBudgetStore
from adapters.sql.catalog import SqlCatalogStore
from adapters.sql.database import Database
from adapters.sql.decision_log import SqlDecisionLog
from adapters.sql.keys import SqlKeyStore
from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_pools import SqlLedgerPools
from adapters.sql.outbox import SqlOutbox
from adapters.sql.request_rows import SqlRequestRows
from adapters.sql.routes import SqlRouteStore
from adapters.sql.usage_pages import SqlUsageRows
from adapters.sql.usage_query import SqlUsageQuery
from adapters.system.clock import SystemClock
from adapters.system.ids import TimeOrderedIds
from adapters.tables.formats import KnownTableFormats
from application.ports.catalog import CatalogSource
from application.ports.keys import KeyNews
from application.ports.model_shelf import ModelShelf
from application.role_book import RoleBook
from application.tenant_book import TenantBook
from application.use_cases.catalog_queries import (
    CatalogUseCases,
    ListOfferings,
    ReportCatalogStatistics,
    ShowOffering,
)
from application.use_cases.export_usage import ExportUsage
from application.use_cases.find_anomalies import FindAnomalies
from application.use_cases.forecast_usage import ForecastUsage
from application.use_cases.import_keys import ImportKeys
from application.use_cases.load_catalog import LoadCatalog
from application.use_cases.manage_keys import BootstrapFirstKey
from application.use_cases.read_requests import ReadRequests
from application.use_cases.read_usage import UsageUseCases
from application.use_cases.reconcile_invoice import ReconcileInvoice
from application.use_cases.report_costs import ReportCosts
from application.use_cases.report_usage import ReportUsage
from application.use_cases.sync_catalog import ExportCatalog, ImportCatalog, SyncCatalog
from entrypoints.access import make_key_ring
from entrypoints.access_opening import open_access
from entrypoints.auditing import Auditing
from entrypoints.directories import models_directory
from entrypoints.http.entrance import Entrance
from entrypoints.identity_opening import open_identities
from entrypoints.outgoing import Outgoing, make_outside
from entrypoints.places import make_places
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
    return BundledPriceBook(today=partial(today, SystemClock()))


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
    decision_log = providers.Singleton(SqlDecisionLog, scoped_reports)
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
        forecast=providers.Singleton(ForecastUsage, usage_query, clock),
        anomalies=providers.Singleton(FindAnomalies, usage_query, clock),
        clock=clock,
    )
    read_requests = providers.Singleton(ReadRequests, request_rows)

    outgoing = providers.Dependency(instance_of=Outgoing)
    auditing = providers.Dependency(instance_of=Auditing)
    identities = providers.Singleton(
        open_identities, settings, outgoing, database, clock, role_book, key_ring
    )
    entrance = providers.Singleton(Entrance, key_ring, tenant_book, access.provided.turned_away, identities)
    transport = outgoing.provided.providers
    outside = providers.Singleton(make_outside, outgoing, tenant_book)
    feeds = providers.Singleton(PublicFeeds, outside.provided.transport)
    bundled_prices = providers.Factory(BundledPriceBook, today=providers.Factory(partial, today, clock))
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
