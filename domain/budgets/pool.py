"""Pools: holders of the ledger whose leases are dealt out to member processes by somebody in front of it.

For the ledger a pool is one large process. It lives as long as it has members: the last one to leave closes
it, and whatever was not charged to it is free again, however it had been dealt out. A pool whose dealer lost
its memory is retired: it takes no new members, and ends with those it has.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from domain.budgets.ledger import HolderState, LeaseTotals, Ledger, lost_id
from domain.budgets.posting import HoldOutcome, Posting


class Membership(Enum):
    """How a process stands to its pool."""

    OPEN = "open"
    RETIRED = "retired"
    """The pool deals nothing out any more; the process is to join another one under another name."""
    ENDED = "ended"
    """Fenced, booked or closed; or never was a member."""


class PoolMember(NamedTuple):
    """A process that has not left its pool."""

    holder: str
    state: HolderState
    seen_us: int


class PoolBook:
    """Which process is in which pool; the reference for every store of it. Told the time."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.retired: set[str] = set()
        self.pools: dict[str, None] = {}
        self.pool_of: dict[str, str] = {}
        self.left: set[str] = set()

    def join(self, holder: str, new_pool: str, now_us: int) -> str:
        """The pool of a holder: where it is already, else the one that takes members, else `new_pool`."""
        found = self.pool_of.get(holder)
        if found is None:
            found = next((pool for pool in self.pools if self._takes_members(pool)), new_pool)
            self.pools[found] = None
            self.pool_of[holder] = found
            self._ledger.open(found, now_us)
        self._ledger.open(holder, now_us)
        return found

    def _takes_members(self, pool: str) -> bool:
        return pool not in self.retired and self._ledger.is_open(pool)

    def membership(self, holder: str) -> Membership:
        pool = self.pool_of.get(holder)
        if pool is None or holder in self.left or not self._ledger.is_open(holder):
            return Membership.ENDED
        return standing(self._ledger.holders[pool], retired=pool in self.retired)

    def beat(self, holder: str, now_us: int) -> Membership:
        """A sign of life of a member, and of its pool."""
        found = self.membership(holder)
        if found is Membership.OPEN:
            self._ledger.seen_us[holder] = now_us
            self._ledger.seen_us[self.pool_of[holder]] = now_us
        return found

    def retire(self, pool: str) -> None:
        if pool in self.pools:
            self.retired.add(pool)

    def members(self, pool: str) -> list[PoolMember]:
        """Those that have not left, by name."""
        return [
            PoolMember(holder, self._ledger.holders[holder], self._ledger.seen_us[holder])
            for holder, of in sorted(self.pool_of.items())
            if of == pool and holder not in self.left
        ]

    def settled_by(self, holder: str) -> dict[str, int]:
        """What attempts that this holder held were charged, by account."""
        return {
            account_id: lease.charged
            for account_id, books in self._ledger.books.items()
            if (lease := books.leases.get(holder)) is not None and lease.charged
        }

    def leave(self, holder: str, now_us: int) -> None:
        """Closes the holder, and its pool when nobody else is in it. After all it charged was posted."""
        self._ledger.close(holder, now_us)
        pool = self.pool_of.get(holder)
        if pool is None or holder in self.left:
            return
        self.left.add(holder)
        if not self.members(pool):
            self.retired.add(pool)
            self._ledger.close(pool, now_us)

    def give_back(self, pool: str, returned: Mapping[str, int]) -> dict[str, int]:
        """Takes what a pool says it gave back so far, by account; what it was granted where it still has
        something."""
        found = {}
        for account_id, total in sorted(returned.items()):
            books = self._ledger.books.get(account_id)
            lease = None if books is None else books.leases.get(pool)
            if lease is not None:
                lease.take_back(total)
                if lease.outstanding:
                    found[account_id] = lease.granted
        return found

    def book(self, holder: str, dealt: Mapping[str, int], now_us: int) -> dict[str, int]:
        """Books what a lost member had been dealt, by account, less what it was charged; how much that is,
        the same when it was done before. The pool gives it up for the member, so that what the member may
        still be charged is taken from there."""
        pool = self.pool_of[holder]
        for account_id, total in sorted(dealt.items()):
            books = self._ledger.books.get(account_id)
            if books is None:
                continue
            own = books.leases.setdefault(holder, LeaseTotals())
            rest = book_rest(books.leases.setdefault(pool, LeaseTotals()), own, total, own.charged)
            if rest:
                self._ledger.post(lost_posting(holder, account_id, rest), now_us)
        return {
            account_id: books.leases[holder].granted
            for account_id in sorted(dealt)
            if (books := self._ledger.books.get(account_id)) is not None and books.leases[holder].granted
        }


def standing(pool: HolderState, *, retired: bool) -> Membership:
    """Of an open member, by the state of its pool."""
    return Membership.OPEN if pool is HolderState.OPEN and not retired else Membership.RETIRED


def book_rest(pool: LeaseTotals, own: LeaseTotals, dealt: int, charged: int) -> int:
    """Moves what a lost member has left from the pool's lease to its own; how much that is, 0 when it was
    done before. Never more than the pool has."""
    if own.granted:
        return 0
    rest = min(max(0, dealt - charged), pool.outstanding)
    pool.returned += rest
    own.granted += rest
    return rest


def lost_posting(holder: str, account_id: str, rest: int) -> Posting:
    """Books a rest of a lost holder as unresolved."""
    return Posting(
        lost_id(holder), HoldOutcome.UNRESOLVED, rest, rest, rest, holder, holder, (account_id,), ()
    )
