"""What one holder has of the ledger: its leases, and for which accounts holds are open."""

import asyncio
from collections.abc import Sequence
from typing import Final

from application.ports.hold_board import HoldGroup
from application.ports.ledger import LeaseLine, LedgerStore
from domain.budgets.budget import Account
from domain.budgets.lease import AccountState, Lease

GROUPS_MAX: Final = 20_000
"""Callers make up sessions and agents, and so any number of sets of accounts. Beyond this the sets are noted
anew; holds keep the one they were opened with."""

LACKED_MAX: Final = 1000
"""Accounts without room that are remembered; more than that are asked about once more."""


class NoRoom(Exception):
    """An account has no room for a hold of `amount`; `state` is how it stood, `at_hand` what this process may
    still hold of it."""

    def __init__(self, account: Account, state: AccountState, amount: int, at_hand: int) -> None:
        super().__init__(account.account_id)
        self.account = account
        self.state = state
        self.amount = amount
        self.at_hand = at_hand

    @property
    def may_come(self) -> bool:
        """Whether room may come free without the budget growing."""
        return self.state.committed_nano_usd + self.amount <= self.state.limit_nano_usd


class Tenure:
    """The leases one holder has at one store, from its opening until its last hold was posted.

    Once `ended` nothing is taken or asked for under it any more. `fenced`: the ledger does not listen to it.
    """

    def __init__(self, store: LedgerStore, holder: str) -> None:
        self.store = store
        self.holder = holder
        self.payer = ""
        self.leases: dict[str, Lease] = {}
        self.accounts: dict[str, Account] = {}
        self.groups: dict[tuple[tuple[str, ...], tuple[str, ...]], HoldGroup] = {}
        self.asking = asyncio.Lock()
        self.exchanged_at = 0.0
        self.unheard = False
        """Whether the last exchange had no answer."""
        self._lacked: dict[str, tuple[float, int]] = {}
        self.ended = False
        self.fenced = False
        self.unrecorded = 0
        """Holds whose attempts have no row in the journal yet."""

    @property
    def opened(self) -> bool:
        return bool(self.payer)

    def lease(self, account: Account, now: float) -> Lease:
        """The lease of an account, made when there is none."""
        return self.leases_of((account,), now)[0]

    def leases_of(self, accounts: Sequence[Account], now: float) -> list[Lease]:
        """The leases of these accounts, made where there are none."""
        leases = []
        for account in accounts:
            account_id = account.account_id
            self.accounts[account_id] = account
            found = self.leases.get(account_id)
            if found is None:
                found = self.leases[account_id] = Lease(account_id, now)
            leases.append(found)
        return leases

    def group(self, leased: tuple[str, ...], soft: tuple[str, ...]) -> HoldGroup:
        """One object for all holds on the same accounts."""
        key = (leased, soft)
        found = self.groups.get(key)
        if found is None:
            if len(self.groups) >= GROUPS_MAX:
                self.groups.clear()
            found = self.groups[key] = HoldGroup(self.holder, self.payer, leased, soft)
        return found

    def take(self, leases: Sequence[Lease], amount: int, now: float) -> bool:
        """Holds the amount on all of them or on none."""
        for lease in leases:
            if amount > lease.free:
                return False
        for lease in leases:
            lease.held += amount
            lease.used_at = now
        self.unrecorded += 1
        return True

    def lacks(self, account: Account, need: int, now: float) -> None:
        """The ledger had no room for that need."""
        if len(self._lacked) >= LACKED_MAX:
            self._lacked.clear()
        self._lacked[account.account_id] = (now, need)

    def lacked(self, account: Account, need: int, since: float) -> bool:
        """Whether the ledger said since then that it has no room for so much."""
        found = self._lacked.get(account.account_id)
        return found is not None and found[0] > since and need >= found[1]

    def known(self, accounts: Sequence[Account]) -> list[Lease] | None:
        """The leases of these accounts; None: it never had one of them."""
        found = [lease for each in accounts if (lease := self.leases.get(each.account_id)) is not None]
        return found if len(found) == len(accounts) else None

    def forget_idle(self) -> None:
        """An ended one needs only what it has to give back yet; the totals of the rest are in the ledger."""
        self.leases = {
            account_id: lease
            for account_id, lease in self.leases.items()
            if not self.fenced and (lease.unsure or lease.held > 0 or lease.free > 0)
        }
        self.accounts = {account_id: self.accounts[account_id] for account_id in self.leases}
        self.groups.clear()


def line_of(account: Account, lease: Lease, need: int, want: int) -> LeaseLine:
    """What is said and wanted of one account."""
    return LeaseLine(account, lease.returned_total, lease.posted_total, need, want)


def room_if_returned(state: AccountState, lease: Lease, need: int) -> bool:
    """Whether there could be room for it, if everybody gave back what is not spent."""
    return state.committed_nano_usd + need + max(0, lease.held) <= state.limit_nano_usd
