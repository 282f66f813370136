"""The ledger: what every account has spent, and which process may spend how much more without asking.

The database is the truth. A row of usage and its posting are written in one transaction; grants come either
from the database itself or from a pool in front of it (Redis), which is a projection: it deals out only what
the database granted to the pool, and can be lost and made again.

Failure policy: closed. An exchange that cannot be made raises `StoreUnavailable`, and nothing is granted
then; callers go on with what they hold. Slow counts as down: adapters bound every call. An answer that got
lost changes nothing, because totals say the same thing twice without doing it twice.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from domain.budgets.budget import Account
from domain.budgets.lease import AccountState
from domain.budgets.posting import Posting


class LeaseLine(NamedTuple):
    """What a process says and wants about one account. Totals since the holder was opened, nano-dollars.

    `posted_total` is what its settled holds were charged, as far as it is in the database. `need` is what a
    request waits for, `want` what it would like beyond; both 0 only to give back or to look.
    """

    account: Account
    returned_total: int = 0
    posted_total: int = 0
    need: int = 0
    want: int = 0


class LeaseAnswer(NamedTuple):
    """About one account: everything ever granted to this holder, how the account stands after that, whether
    somebody else waits for what is idle, and how much of the total this very exchange granted."""

    granted_total: int
    state: AccountState
    wanted: bool = False
    granted_now: int = 0


class Exchange(NamedTuple):
    """Answers in the order of the lines. `refused` names the account without room for its need; then nothing
    was granted on any account, and everything given back was taken all the same."""

    answers: tuple[LeaseAnswer, ...]
    refused: str | None = None


class HolderFenced(Exception):
    """This holder was given up for lost and its leases were booked; its process needs a new one."""


class LedgerStore(Protocol):
    """Grants and takes back leases. All needs of one exchange are met, or none."""

    @abstractmethod
    async def open(self, holder: str, now_us: int) -> str:
        """Makes a holder known. Returns the payer its postings are to name: itself, or the pool it shares.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def exchange(self, holder: str, lines: Sequence[LeaseLine], now_us: int) -> Exchange:
        """Takes what is given back, then grants what is needed on every account or on none.

        Opens accounts that are not known yet, and takes over changed limits. Counts as a sign of life, also
        without lines. The same account stands in one line at most.

        Raises:
            HolderFenced: see there.
            StoreUnavailable: nothing is known about what happened; the next exchange tells.
        """
        ...

    @abstractmethod
    async def close(self, holder: str, now_us: int) -> None:
        """Gives back whatever the holder still has. Only for a process that has ended or holds nothing, after
        all it charged and all it left unresolved was posted. Idempotent; unknown holders are no error.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def post(self, postings: Sequence[Posting], now_us: int) -> None:
        """Charges accounts, each attempt at most once per account; later postings of the same attempt resolve
        an unresolved one and are ignored otherwise. For what does not travel in usage rows.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def give_up_lost(self, silent_since_us: int, book_before_us: int, now_us: int) -> int:
        """Fences holders that were silent since then, and books what those before `book_before_us` still had
        as unresolved (`lost:<holder>`). How many were booked. Safe to run on every instance at once.

        Raises StoreUnavailable.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """Which accounts. None: any. `current_at_us` leaves out those whose period does not hold that moment."""

    tenant_id: str | None = None
    budget_id: str | None = None
    subject: str | None = None
    current_at_us: int | None = None


class AccountRow(NamedTuple):
    """An account with its figures, for people."""

    account: Account
    state: AccountState
    holders: int
    updated_at_us: int


class UnresolvedEntry(NamedTuple):
    """A charge that nobody knows the bill of yet."""

    attempt_id: str
    account_id: str
    tenant_id: str
    held_nano_usd: int
    holder: str
    since_us: int
    budget_id: str = ""
    """Empty: nobody opened the account yet."""


class LedgerBooks(Protocol):
    """Reading the ledger, and settling by hand what it cannot settle itself."""

    @abstractmethod
    async def accounts(self, where: AccountFilter, *, limit: int = 1000) -> list[AccountRow]:
        """Newest period first, then by account id. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def unresolved(self, tenant_id: str | None, *, limit: int = 1000) -> list[UnresolvedEntry]:
        """Oldest first. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def resolve(self, attempt_id: str, charged_nano_usd: int | None, now_us: int) -> int:
        """Replaces unresolved charges of an attempt by its bill, None: by what was held; on how many
        accounts.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def resolve_older(self, before_us: int, now_us: int) -> int:
        """The stated deadline: what was unresolved before that moment is spent at the held amount for good.

        Charges of batches have more time (`domain.budgets.posting.is_overdue`).

        Raises StoreUnavailable.
        """
        ...
