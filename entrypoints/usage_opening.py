"""Opens the usage log and what follows its rows: the audit trail, events, the ledger. It names adapters."""

from adapters.disk.board_recovery import BoardRecovery
from adapters.disk.hold_board import DiskHoldBoard
from adapters.redis.connection import RedisConnection
from adapters.redis.ledger import RedisLedger
from adapters.sql.database import Database
from adapters.sql.thread import BlockingThread
from adapters.sql.usage_inserts import group_rows_max
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_messages import Opening
from adapters.sql.usage_process import UsageProcess
from adapters.wire.heads import DialectReader
from application.budget_book import BudgetBook
from application.events.interest import Interest
from application.ports.ledger import LedgerStore
from application.prefix_counts import PrefixCounts
from application.use_cases.recover_holds import RecoverHolds
from application.use_cases.watch_budgets import WatchBudgets
from entrypoints.alerting import InForce
from entrypoints.money import Money, make_money
from entrypoints.redis_status import RedisStatus
from entrypoints.settings import Settings
from entrypoints.store_container import StoreContainer
from entrypoints.stores_opening import connection_shares, database_url
from entrypoints.usage_writer_opening import usage_process, usage_writer
from entrypoints.writing_apart import cores, writes_apart


def open_usage_and_money(
    stores: StoreContainer,
    settings: Settings,
    database: Database,
    thread: BlockingThread,
    redis: RedisConnection | None,
    redis_status: RedisStatus,
    interest: Interest,
    in_force: InForce,
) -> tuple[JournaledUsageLog, tuple[UsageProcess, ...], Money]:
    """They need each other: rows settle what was held, and what a dead process held is found beside its
    rows. `interest` says which events of requests are to be written, `in_force` what is measured apart. There
    is a process where rows are not written by this one."""
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
    own = usage_writer(database, clock, interest.wants, watch.told, lambda: in_force.scopes)
    apart: tuple[UsageProcess, ...] = ()
    if writes_apart(settings.server.usage_writer, settings.server.workers, cores()):
        connections_max, *_ = connection_shares(settings.storage.database_connections_max)
        opening = Opening(
            *(database_url(settings), connections_max, interest.always),
            *(settings.logs.format, settings.logs.level),
        )
        apart = (usage_process(own, opening, interest, lambda: in_force.scopes, watch.told),)
    usage_log = JournaledUsageLog(
        apart[0] if apart else own,
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
    return usage_log, apart, money
