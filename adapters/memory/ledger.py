"""The ledger in memory: for tests and simulations; gone with the process."""

from collections.abc import Iterable, Sequence

from adapters.memory.outbox import InMemoryOutbox
from application.budget_alerts import budget_alert_event
from application.ports.ledger import (
    AccountFilter,
    AccountRow,
    Exchange,
    HolderFenced,
    LeaseAnswer,
    LeaseLine,
    LedgerBooks,
    LedgerStore,
    UnresolvedEntry,
)
from domain.budgets.alerts import alerts_due
from domain.budgets.ledger import Ledger, Want
from domain.budgets.posting import HoldOutcome, Posting, is_overdue
from domain.errors import StoreUnavailable


class InMemoryLedger(LedgerStore, LedgerBooks):
    """Set `reachable` to False to take the store away; what it knows stays. Alerts go into `outbox`."""

    def __init__(self, outbox: InMemoryOutbox | None = None) -> None:
        self.reachable = True
        self.ledger = Ledger()
        self._outbox = outbox

    async def open(self, holder: str, now_us: int) -> str:
        self._require()
        self.ledger.open(holder, now_us)
        return holder

    async def exchange(self, holder: str, lines: Sequence[LeaseLine], now_us: int) -> Exchange:
        self._require()
        if not self.ledger.is_open(holder):
            raise HolderFenced(holder)
        wants = [Want(line.account, line.returned_total, line.need, line.want) for line in lines]
        granted, refused = self.ledger.exchange(holder, wants, now_us)
        self._alert([line.account.account_id for line in lines], now_us)
        return Exchange(tuple(LeaseAnswer(*each) for each in granted), refused)

    async def close(self, holder: str, now_us: int) -> None:
        self._require()
        self.ledger.close(holder, now_us)

    async def post(self, postings: Sequence[Posting], now_us: int) -> None:
        self._require()
        for posting in postings:
            self.ledger.post(posting, now_us)
            self._alert(posting.accounts, now_us)

    async def give_up_lost(self, silent_since_us: int, book_before_us: int, now_us: int) -> int:
        self._require()
        booked = self.ledger.give_up_lost(silent_since_us, book_before_us, now_us)
        self._alert(self.ledger.books, now_us)
        return booked

    async def accounts(self, where: AccountFilter, *, limit: int = 1000) -> list[AccountRow]:
        self._require()
        rows = []
        for account_id, books in self.ledger.books.items():
            account = books.account
            if account is None:
                continue
            current = where.current_at_us is None or (
                account.period_start_us <= where.current_at_us
                and (account.period_end_us is None or where.current_at_us < account.period_end_us)
            )
            if (
                current
                and where.tenant_id in (None, account.tenant_id)
                and where.budget_id in (None, account.budget_id)
                and where.subject in (None, account.subject)
            ):
                holders = sum(1 for lease in books.leases.values() if lease.outstanding)
                rows.append(AccountRow(account, books.state(account_id), holders, books.updated_at_us))
        rows.sort(key=lambda row: (-row.account.period_start_us, row.account.account_id))
        return rows[:limit]

    async def unresolved(self, tenant_id: str | None, *, limit: int = 1000) -> list[UnresolvedEntry]:
        self._require()
        found = [
            UnresolvedEntry(
                attempt_id,
                account_id,
                _tenant(books.account),
                entry.charged,
                entry.holder,
                entry.since_us,
                "" if books.account is None else books.account.budget_id,
            )
            for account_id, books in self.ledger.books.items()
            for attempt_id, entry in books.entries.items()
            if entry.outcome is HoldOutcome.UNRESOLVED and tenant_id in (None, _tenant(books.account))
        ]
        return sorted(found, key=lambda entry: (entry.since_us, entry.attempt_id, entry.account_id))[:limit]

    async def resolve(self, attempt_id: str, charged_nano_usd: int | None, now_us: int) -> int:
        self._require()
        resolved = self.ledger.resolve(attempt_id, charged_nano_usd, now_us)
        self._alert(self.ledger.books, now_us)
        return resolved

    async def resolve_older(self, before_us: int, now_us: int) -> int:
        self._require()
        old = {
            entry.attempt_id
            for entry in await self.unresolved(None)
            if is_overdue(entry.attempt_id, entry.since_us, before_us)
        }
        return sum([await self.resolve(attempt_id, None, now_us) for attempt_id in sorted(old)])

    def _alert(self, account_ids: Iterable[str], now_us: int) -> None:
        if self._outbox is None:
            return
        for account_id in account_ids:
            books = self.ledger.books[account_id]
            if books.account is not None:
                for alert in alerts_due(books.account, books.spent + books.unresolved, now_us):
                    self._outbox.put(budget_alert_event(alert, now_us))

    def _require(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the ledger is not reachable", retry_after_s=1.0)


def _tenant(account: object) -> str:
    return str(getattr(account, "tenant_id", ""))
