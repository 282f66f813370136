"""The rules of the ledger as one plain object: the reference that every store has to agree with.

For each account, at every moment:

    spent + unresolved + leased <= limit

unless the limit was lowered below that, or a bill passed its bound; then nothing is granted until there is
room again. `leased` counts down only by what was charged to it or given back, so whatever a process may still
spend without asking, or has spent without telling, is always in the sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from domain.budgets.budget import Account
from domain.budgets.lease import AccountState, slice_to_grant
from domain.budgets.period import oldest_slot, slot_of
from domain.budgets.posting import HoldOutcome, Posting

WANTED_FOR_US = 2_000_000
"""How long an account stays marked after somebody found no room in it that idle leases could give."""


class HolderState(Enum):
    """Of a process that may hold leases."""

    OPEN = "open"
    FENCED = "fenced"
    """Given up for lost: gets no grants any more; what it had counts until it is closed or booked."""
    CLOSED = "closed"


class Want(NamedTuple):
    """One line of an exchange (see `application.ports.ledger.LeaseLine`)."""

    account: Account
    returned_total: int
    need: int
    want: int


class Granted(NamedTuple):
    """One answer of an exchange."""

    granted_total: int
    state: AccountState
    wanted: bool
    granted_now: int = 0


@dataclass(slots=True)
class Entry:
    """A posted charge on one account."""

    outcome: HoldOutcome
    charged: int
    holder: str
    since_us: int
    counted_us: int
    """When it was charged, or resolved: a sliding window forgets it by that."""


@dataclass(slots=True)
class LeaseTotals:
    """One holder's lease of one account. Totals only grow. `settled` was taken from this lease, `charged` is
    what this holder held, whoever's lease paid for it."""

    granted: int = 0
    returned: int = 0
    settled: int = 0
    charged: int = 0

    @property
    def outstanding(self) -> int:
        """What may still be spent under it. Never negative: a bill beyond its bound is in `spent`, and the
        next grant has to make up for it first."""
        return max(0, self.granted - self.returned - self.settled)

    def take_back(self, returned_total: int) -> None:
        """What the holder says it gave back so far; less than it said before changes nothing."""
        self.returned = max(self.returned, min(returned_total, self.granted))


@dataclass(slots=True)
class Books:
    """One account: its figures, who leases from it, and what was posted to it."""

    account: Account | None = None
    spent: int = 0
    unresolved: int = 0
    leases: dict[str, LeaseTotals] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    wanted_until_us: int = 0
    updated_at_us: int = 0

    @property
    def leased(self) -> int:
        return sum(lease.outstanding for lease in self.leases.values())

    def state(self, account_id: str) -> AccountState:
        limit = 0 if self.account is None else self.account.limit_nano_usd
        return AccountState(account_id, limit, self.spent, self.unresolved, self.leased)


class Ledger:
    """Told the time; holds everything in memory."""

    def __init__(self) -> None:
        self.books: dict[str, Books] = {}
        self.holders: dict[str, HolderState] = {}
        self.seen_us: dict[str, int] = {}

    def open(self, holder: str, now_us: int) -> None:
        self.holders.setdefault(holder, HolderState.OPEN)
        self.seen_us[holder] = now_us

    def is_open(self, holder: str) -> bool:
        return self.holders.get(holder) is HolderState.OPEN

    def exchange(self, holder: str, wants: Sequence[Want], now_us: int) -> tuple[list[Granted], str | None]:
        """Takes back, then grants all needs or none. The second value names the account that lacks room."""
        assert self.is_open(holder), "callers check for fenced holders"
        self.seen_us[holder] = now_us
        for want in wants:
            books = self._opened(want.account, now_us)
            lease = books.leases.setdefault(holder, LeaseTotals())
            lease.take_back(want.returned_total)
        refused = self._lacking(wants, now_us)
        answers = []
        for want in wants:
            books = self.books[want.account.account_id]
            lease = books.leases[holder]
            before = lease.granted
            if refused is None and (want.need or want.want):
                state = books.state(want.account.account_id)
                active = sum(1 for each in books.leases.values() if each.outstanding > 0 or each is lease)
                lease.granted += slice_to_grant(state, want.need, want.need + want.want, active)
            answers.append(
                Granted(
                    lease.granted,
                    books.state(want.account.account_id),
                    now_us < books.wanted_until_us,
                    lease.granted - before,
                )
            )
        return answers, refused

    def _lacking(self, wants: Sequence[Want], now_us: int) -> str | None:
        lacking = None
        for want in wants:
            books = self.books[want.account.account_id]
            state = books.state(want.account.account_id)
            if want.need > state.free_nano_usd:
                if state.committed_nano_usd + want.need <= state.limit_nano_usd:
                    books.wanted_until_us = now_us + WANTED_FOR_US
                lacking = lacking or want.account.account_id
        return lacking

    def _opened(self, account: Account, now_us: int) -> Books:
        books = self.books.setdefault(account.account_id, Books())
        books.account = account
        self._forget_slots(books, now_us)
        return books

    @staticmethod
    def _forget_slots(books: Books, now_us: int) -> None:
        account = books.account
        if account is None or not account.rolling_us:
            return
        oldest = oldest_slot(now_us, account.rolling_us)
        for attempt_id, entry in list(books.entries.items()):
            if entry.outcome is HoldOutcome.UNRESOLVED:
                continue
            if slot_of(entry.counted_us, account.rolling_us) < oldest:
                books.spent -= entry.charged
                del books.entries[attempt_id]

    def post(self, posting: Posting, now_us: int) -> bool:
        """Charges the posting's accounts; whether anything changed.

        An attempt is charged once per account. A posting that is not unresolved replaces an unresolved one of
        the same attempt; the lease was used up by the first, and the difference becomes free or is owed.
        """
        changed = False
        for account_id in posting.accounts:
            books = self.books.setdefault(account_id, Books())
            self._forget_slots(books, now_us)
            known = books.entries.get(posting.attempt_id)
            if known is None:
                self._charge(books, posting, account_id in posting.leased, now_us)
            elif known.outcome is HoldOutcome.UNRESOLVED and posting.outcome is not HoldOutcome.UNRESOLVED:
                self._resolve(books, known, posting.charged_nano_usd, now_us)
            else:
                continue
            books.updated_at_us = now_us
            changed = True
        return changed

    def _charge(self, books: Books, posting: Posting, leased: bool, now_us: int) -> None:
        # Soft accounts hold nothing back, so what nobody knows the bill of counts there as it was estimated.
        outcome = posting.outcome if leased else HoldOutcome.SETTLED
        charged = posting.charged_nano_usd if leased else posting.cost_nano_usd
        if leased:
            own = books.leases.setdefault(posting.holder, LeaseTotals())
            payer = books.leases.setdefault(posting.payer, LeaseTotals())
            # What a pool had dealt to a lost process was made its own when it was booked: it pays from that.
            (own if own.granted else payer).settled += charged
            own.charged += charged
        if outcome is HoldOutcome.UNRESOLVED:
            books.unresolved += charged
        else:
            books.spent += charged
        books.entries[posting.attempt_id] = Entry(
            outcome,
            charged,
            posting.holder,
            now_us,
            now_us,
        )

    def _resolve(self, books: Books, entry: Entry, charged: int, now_us: int) -> None:
        books.unresolved -= entry.charged
        books.spent += charged
        entry.outcome, entry.charged, entry.counted_us = HoldOutcome.SETTLED, charged, now_us

    def resolve(self, attempt_id: str, charged: int | None, now_us: int) -> int:
        """Replaces unresolved charges of an attempt (None: by what was held); on how many accounts."""
        resolved = 0
        for books in self.books.values():
            entry = books.entries.get(attempt_id)
            if entry is not None and entry.outcome is HoldOutcome.UNRESOLVED:
                self._resolve(books, entry, entry.charged if charged is None else charged, now_us)
                books.updated_at_us = now_us
                resolved += 1
        return resolved

    def close(self, holder: str, now_us: int) -> None:
        """Gives back what is left; its process has ended, and everything it charged was posted.

        What had been booked for it when it seemed lost is taken back: what it really charged is known now.
        """
        if holder in self.holders:
            self.holders[holder] = HolderState.CLOSED
        for books in self.books.values():
            lease = books.leases.get(holder)
            if lease is not None:
                lease.returned += lease.outstanding
        self.resolve(lost_id(holder), 0, now_us)

    def give_up_lost(self, silent_since_us: int, book_before_us: int, now_us: int) -> int:
        """Fences silent holders; books what the oldest of them still have. How many were booked."""
        booked = 0
        for holder, state in list(self.holders.items()):
            if state is HolderState.OPEN and self.seen_us[holder] < silent_since_us:
                self.holders[holder] = state = HolderState.FENCED
            if state is not HolderState.FENCED or self.seen_us[holder] >= book_before_us:
                continue
            self.holders[holder] = HolderState.CLOSED
            for account_id, books in self.books.items():
                lease = books.leases.get(holder)
                if lease is None or lease.outstanding <= 0:
                    continue
                rest = lease.outstanding
                self.post(
                    Posting(
                        lost_id(holder),
                        HoldOutcome.UNRESOLVED,
                        rest,
                        rest,
                        rest,
                        holder,
                        holder,
                        (account_id,),
                    ),
                    now_us,
                )
            booked += 1
        return booked


def lost_id(holder: str) -> str:
    """Under which attempt id the rest of a lost holder's leases is booked."""
    return f"lost:{holder}"
