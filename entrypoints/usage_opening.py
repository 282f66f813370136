"""Opens the usage log and what follows its rows: the audit trail, events, the ledger. It names adapters."""

from adapters.disk.board_recovery import BoardRecovery
from adapters.disk.hold_board import DiskHoldBoard
from adapters.redis.connection import RedisConnection
from adapters.redis.ledger import RedisLedger
from adapters.sql.audit_leaves import AuditLeaves
from adapters.sql.database import Database
from adapters.sql.everywhere import ForEveryTenant
from adapters.sql.ledger_postings import LedgerPostings
from adapters.sql.quality_days import QualityDays
from adapters.sql.request_events import RequestEvents
from adapters.sql.sla_measures import SlaFollower
from adapters.sql.thread import BlockingThread
from adapters.sql.usage_inserts import group_rows_max
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_rows import SqlUsageWriter
from adapters.wire.heads import DialectReader
from application.budget_book import BudgetBook
from application.events.requests import Wants
from application.ports.ledger import LedgerStore
from application.prefix_counts import PrefixCounts
from application.use_cases.recover_holds import RecoverHolds
from application.use_cases.watch_budgets import WatchBudgets
from entrypoints.alerting import InForce
from entrypoints.money import Money, make_money
from entrypoints.redis_status import RedisStatus
from entrypoints.settings import Settings
from entrypoints.store_container import StoreContainer


def open_usage_and_money(
    stores: StoreContainer,
    settings: Settings,
    database: Database,
    thread: BlockingThread,
    redis: RedisConnection | None,
    redis_status: RedisStatus,
    wants: Wants,
    in_force: InForce,
) -> tuple[JournaledUsageLog, Money]:
    """They need each other: rows settle what was held, and what a dead process held is found beside its
    rows. `wants` says which events of requests are to be written, `in_force` what is measured apart."""
    board, book, clock = DiskHoldBoard(), BudgetBook(), stores.clock()
    watch = WatchBudgets(book, stores.ledger_books(), clock)
    ledger = stores.ledger(on_alerts=watch.told)
    ledgers: tuple[LedgerStore, ...] = (ledger,)
    if redis is not None:
        # A pool first; while Redis is away, leases come from the database itself.
        ids = stores.ids()
        pool = RedisLedger(ledger, stores.ledger_pools(), redis, lambda: ids.next("pool"))
        redis_status.pool = pool
        ledgers = (pool, ledger)
    database = ForEveryTenant(database)
    usage_log = JournaledUsageLog(
        SqlUsageWriter(
            database,
            (
                AuditLeaves(database.dialect, clock),
                RequestEvents(database.dialect, wants),
                QualityDays(database.dialect),
                LedgerPostings(database.dialect, watch.told),
                SlaFollower(database.dialect, lambda: in_force.scopes),
            ),
        ),
        thread,
        settings.data_dir / "journal",
        group_rows_max=group_rows_max(database.dialect),
        beside=board,
        recover=BoardRecovery(RecoverHolds(ledgers, clock)),
    )
    money = make_money(
        ledgers=ledgers,
        books=ledger,
        watch=watch,
        book=book,
        budgets=stores.budget_store(),
        board=board,
        clock=clock,
        ids=stores.ids(),
        flush=usage_log.flush,
        times=settings.ledger.times(),
        prefixes=PrefixCounts(DialectReader()),
    )
    return usage_log, money
