"""A page of the ledger: accounts locked in one transaction, with the domain's own rules at work on them.

What an operation needs is loaded into a `domain.budgets.ledger.Ledger`, the operation is done there, and what
it changed is written back. So the rules exist once, and no SQL says anything about money.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row

from adapters.sql.account_rows import INT_MAX, account_from, declaration, unopened
from adapters.sql.ledger_changes import Loaded, alerts_after, bound, forgets, slots_after
from adapters.sql.ledger_statements import (
    ACCOUNTS_LOCKED,
    ACTIVE_LEASES,
    DECLARATION,
    DROP_SLOT,
    DROP_SLOTS,
    ENTRIES_OF_ATTEMPTS,
    FIGURES,
    MARKS_OF_ATTEMPTS,
    RESOLVE_ENTRY,
    RESOLVE_MARK,
    SLOTS,
    inserts,
)
from adapters.sql.ledger_tables import budget_accounts, budget_leases
from adapters.sql.usage_inserts import Rows
from application.budget_alerts import budget_alert_event
from domain.budgets.alerts import Alert
from domain.budgets.budget import Account
from domain.budgets.ledger import Books, Entry, LeaseTotals, Ledger, lost_id
from domain.budgets.posting import HoldOutcome, Posting

IDS_PER_STATEMENT: Final = 2000
_SETTLED: Final = HoldOutcome.SETTLED.value
_SLOT: Final = "\x1eslot:"
_SUM: Final = "\x1esum:"
_NEVER_FORGOTTEN: Final = INT_MAX


class LedgerPage:
    """Lives as long as its transaction. `now_us` is the latest moment anything on it happens at."""

    def __init__(self, connection: Connection, now_us: int) -> None:
        self.ledger = Ledger()
        self.recalled: set[str] = set()
        """Attempts that `know` found marked."""
        self._connection = connection
        self._inserts = inserts(connection.dialect)
        self._now_us = now_us
        self._loaded: dict[str, Loaded] = {}
        self._unresolved_since: dict[tuple[str, str], int] = {}
        self._charged: Counter[tuple[str, str]] = Counter()
        self._entries: list[tuple[Any, ...]] = []
        self._marks: list[dict[str, Any]] = []
        self._bills: list[dict[str, Any]] = []
        self._sums = 0

    # Loading

    def load(
        self,
        account_ids: Iterable[str],
        holders: Iterable[str] = (),
        declared: Mapping[str, Account] | None = None,
    ) -> None:
        """Locks accounts, making rows for unknown ones, with every lease that has something left and those of
        `holders`. Once per page: locks are taken in one order."""
        wanted = sorted(set(account_ids))
        rows = {row.account_id: row for row in self._select(ACCOUNTS_LOCKED, wanted)}
        missing = [account_id for account_id in wanted if account_id not in rows]
        if missing:
            self._connection.execute(self._inserts.accounts, [unopened(each) for each in missing])
            rows |= {row.account_id: row for row in self._select(ACCOUNTS_LOCKED, missing)}
        for account_id, row in rows.items():
            account = account_from(row)
            self._loaded[account_id] = Loaded(row, account, {}, {})
            self.ledger.books[account_id] = Books(
                account=account,
                spent=row.spent_nano_usd,
                unresolved=row.unresolved_nano_usd,
                wanted_until_us=row.wanted_until_us,
                updated_at_us=row.updated_at_us,
            )
        # An empty name is nobody's: it keeps the list of holders from being empty.
        for lease in self._select(ACTIVE_LEASES, wanted, holders=sorted({"", *holders})):
            totals = tuple(lease)[2:]
            self._loaded[lease.account_id].leases[lease.holder] = totals
            self.ledger.books[lease.account_id].leases[lease.holder] = LeaseTotals(*totals[:3])
        self._load_slots(declared or {})

    def _select(self, statement: Any, ids: Sequence[str], **more: Any) -> Iterator[Row[Any]]:
        for start in range(0, len(ids), IDS_PER_STATEMENT):
            some = ids[start : start + IDS_PER_STATEMENT]
            yield from self._connection.execute(statement, {"ids": some, **more}).all()

    def _load_slots(self, declared: Mapping[str, Account]) -> None:
        """Of sliding windows that have something to forget: each part is one entry then."""
        due = [
            account_id
            for account_id, loaded in self._loaded.items()
            if forgets(declared.get(account_id) or loaded.account, loaded.row.first_slot_us, self._now_us)
        ]
        for slot in self._select(SLOTS, due):
            name = f"{_SLOT}{slot.slot_us}"
            self._loaded[slot.account_id].slots[name] = slot.slot_us
            self.ledger.books[slot.account_id].entries[name] = Entry(
                HoldOutcome.SETTLED, slot.spent_nano_usd, "", slot.slot_us, slot.slot_us
            )

    def know(self, attempt_ids: Iterable[str], *, everywhere: bool) -> None:
        """Recalls what these attempts were charged before; only `everywhere` finds what came with usage rows
        and was not left unresolved."""
        wanted = sorted(set(attempt_ids))
        for mark in self._select(MARKS_OF_ATTEMPTS, wanted):
            self.recalled.add(mark.attempt_id)
            books = self.ledger.books.get(mark.account_id)
            if books is None:
                continue
            if mark.outcome == HoldOutcome.UNRESOLVED.value:
                self._unresolved_since[mark.attempt_id, mark.account_id] = mark.at_us
                books.entries[mark.attempt_id] = Entry(
                    HoldOutcome.UNRESOLVED, mark.charged_nano_usd, mark.holder, mark.at_us, mark.at_us
                )
            else:
                books.entries[mark.attempt_id] = _settled_before()
        if everywhere:
            for entry in self._select(ENTRIES_OF_ATTEMPTS, wanted):
                if entry.account_id in self.ledger.books:
                    known = self.ledger.books[entry.account_id].entries
                    known.setdefault(entry.attempt_id, _settled_before())

    # What happens on it

    def post(self, posting: Posting, at_us: int, *, marked: bool) -> None:
        """Charges one attempt, or resolves it. `marked`: remember it in any case."""
        accounts = dict.fromkeys(posting.accounts)
        before = {each: self._outcome(each, posting.attempt_id) for each in accounts}
        self.ledger.post(posting, at_us)
        for account_id, known in before.items():
            entry = self.ledger.books[account_id].entries[posting.attempt_id]
            if known is None:
                self.note(posting, account_id, entry.outcome, entry.charged, at_us, marked=marked)
                if account_id in posting.leased:
                    self._charged[account_id, posting.holder] += entry.charged
            elif known is not entry.outcome:
                self._note_bill(posting.attempt_id, account_id, entry.charged, at_us)

    def post_sum(
        self, account_id: str, holder: str, payer: str, amount: int, at_us: int, *, leased: bool
    ) -> None:
        """Charges several settled attempts at once; their entries were noted one by one."""
        self._sums += 1
        accounts = (account_id,)
        self.ledger.post(
            Posting(
                f"{_SUM}{self._sums}",
                HoldOutcome.SETTLED,
                amount,
                amount,
                amount,
                holder,
                payer,
                accounts if leased else (),
                () if leased else accounts,
            ),
            at_us,
        )
        if leased:
            self._charged[account_id, holder] += amount

    def note_settled(self, posting: Posting, at_us: int) -> None:
        """New rows of the ledger, whose charges are posted as part of a sum."""
        attempt_id, held, holder, payer = (
            posting.attempt_id,
            posting.held_nano_usd,
            posting.holder,
            posting.payer,
        )
        outcome, charged, cost = posting.outcome.value, posting.charged_nano_usd, posting.cost_nano_usd
        self._entries += [
            (attempt_id, account_id, at_us, outcome, charged, held, holder, payer, None)
            for account_id in posting.leased
        ]
        self._entries += [
            (attempt_id, account_id, at_us, _SETTLED, cost, held, holder, payer, None)
            for account_id in posting.soft
        ]

    def note(
        self,
        posting: Posting,
        account_id: str,
        outcome: HoldOutcome,
        charged: int,
        at_us: int,
        *,
        marked: bool,
    ) -> None:
        """A new row of the ledger."""
        self._entries.append(
            (
                posting.attempt_id,
                account_id,
                at_us,
                outcome.value,
                charged,
                posting.held_nano_usd,
                posting.holder,
                posting.payer,
                None,
            )
        )
        if outcome is HoldOutcome.UNRESOLVED:
            self._unresolved_since[posting.attempt_id, account_id] = at_us
        if marked or outcome is HoldOutcome.UNRESOLVED:
            self._marks.append(
                {
                    "attempt_id": posting.attempt_id,
                    "account_id": account_id,
                    "at_us": at_us,
                    "outcome": outcome.value,
                    "charged_nano_usd": charged,
                    "holder": posting.holder,
                    "resolved_at_us": None if outcome is HoldOutcome.UNRESOLVED else at_us,
                }
            )

    def resolve(self, attempt_id: str, charged: int | None, now_us: int) -> int:
        """As `Ledger.resolve`, for an attempt that was recalled."""
        before = self.outcomes(attempt_id)
        resolved = self.ledger.resolve(attempt_id, charged, now_us)
        self.note_bills(attempt_id, before, now_us)
        return resolved

    def give_up_lost(self, holder: str, silent_since_us: int, book_before_us: int) -> int:
        """As `Ledger.give_up_lost`, for one holder and the accounts it has something left of."""
        before = {each: books.leases[holder].outstanding for each, books in self.ledger.books.items()}
        booked = self.ledger.give_up_lost(silent_since_us, book_before_us, self._now_us)
        lost = lost_id(holder)
        for account_id, rest in before.items():
            if lost in self.ledger.books[account_id].entries:
                posting = Posting(
                    lost, HoldOutcome.UNRESOLVED, rest, rest, rest, holder, holder, (account_id,)
                )
                self.note(posting, account_id, HoldOutcome.UNRESOLVED, rest, self._now_us, marked=True)
                self._charged[account_id, holder] += rest
        return booked

    def note_bills(self, attempt_id: str, before: Mapping[str, HoldOutcome | None], now_us: int) -> None:
        """Writes down what an operation of the ledger resolved of an attempt."""
        for account_id, known in before.items():
            entry = self.ledger.books[account_id].entries.get(attempt_id)
            if known is HoldOutcome.UNRESOLVED and entry is not None and entry.outcome is not known:
                self._note_bill(attempt_id, account_id, entry.charged, now_us)

    def outcomes(self, attempt_id: str) -> dict[str, HoldOutcome | None]:
        """What became of an attempt, by account."""
        return {account_id: self._outcome(account_id, attempt_id) for account_id in self.ledger.books}

    def _outcome(self, account_id: str, attempt_id: str) -> HoldOutcome | None:
        entry = self.ledger.books[account_id].entries.get(attempt_id)
        return None if entry is None else entry.outcome

    def _note_bill(self, attempt_id: str, account_id: str, charged: int, now_us: int) -> None:
        self._bills.append(
            {
                "b_attempt_id": attempt_id,
                "b_account_id": account_id,
                "b_at_us": self._unresolved_since[attempt_id, account_id],
                "b_outcome": HoldOutcome.SETTLED.value,
                "b_charged": charged,
                "b_resolved": now_us,
            }
        )

    # Writing back

    def save(self, entries: Rows) -> list[Alert]:
        """Writes what changed, and events for thresholds that were reached; alerts nobody wrote before."""
        alerts: list[Alert] = []
        figures, declarations, leases, slots, dropped, gone = [], [], [], [], [], []
        for account_id, loaded in sorted(self._loaded.items()):
            books = self.ledger.books[account_id]
            if books.account != loaded.account and books.account is not None:
                declarations.append(bound(account_id, declaration(books.account)))
            leases += self._changed_leases(account_id, books, loaded)
            first, added, forgotten = slots_after(account_id, books, loaded)
            slots += added
            dropped += forgotten
            if books.account is not None and not books.account.rolling_us and first is not None:
                gone.append({"b_account_id": account_id})
                first = None
            fresh, told = alerts_after(books, loaded.row.told, self._now_us)
            alerts += fresh
            after = (
                min(books.spent, INT_MAX),
                min(books.unresolved, INT_MAX),
                min(books.leased, INT_MAX),
                books.wanted_until_us,
                books.updated_at_us,
                first,
                told,
            )
            if after != tuple(loaded.row)[-len(after) :]:
                names = budget_accounts.columns.keys()[-len(after) :]
                figures.append(bound(account_id, dict(zip(names, after, strict=True))))
        events = [budget_alert_event(alert, self._now_us) for alert in alerts]
        entries.run(self._connection, self._entries)
        self._run(self._inserts.marks, self._marks)
        self._run(RESOLVE_MARK, [{k: v for k, v in bill.items() if k != "b_at_us"} for bill in self._bills])
        self._run(RESOLVE_ENTRY, self._bills)
        self._run(DECLARATION, declarations)
        self._run(FIGURES, figures)
        self._run(self._inserts.leases, leases)
        self._run(DROP_SLOTS, gone)
        self._run(DROP_SLOT, dropped)
        self._run(self._inserts.slots, slots)
        self._run(self._inserts.outbox, [{**event._asdict(), "done_at_us": None} for event in events])
        return alerts

    def _run(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(statement, rows)

    def _changed_leases(self, account_id: str, books: Books, loaded: Loaded) -> list[dict[str, Any]]:
        changed = []
        for holder, lease in sorted(books.leases.items()):
            known = loaded.leases.get(holder, (0, 0, 0, 0))
            charged = known[3] + self._charged[account_id, holder]
            after = (lease.granted, lease.returned, lease.settled, charged)
            if after != known:
                totals = (min(each, INT_MAX) for each in after)
                changed.append(
                    dict(zip(budget_leases.columns.keys(), (account_id, holder, *totals), strict=True))
                )
        return changed


def _settled_before() -> Entry:
    """A charge that is in the figures already: only there so that it is not charged again."""
    return Entry(HoldOutcome.SETTLED, 0, "", _NEVER_FORGOTTEN, _NEVER_FORGOTTEN)
