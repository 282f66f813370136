"""The leases of this process: holds are taken from them in memory, and a look now and then keeps them right.

In the common case a hold is a comparison and an addition per account. Only when a slice is used up does a
request wait for an exchange with the ledger, which brings more than it needs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from application.ports.hold_board import HoldBoard, HoldGroup
from application.ports.ledger import Exchange, HolderFenced, LeaseLine, LedgerStore
from application.ports.system import Clock
from domain.analytics.event import RequestEvent
from domain.budgets.budget import Account, Budget, renewed
from domain.budgets.lease import AccountState, Lease
from domain.budgets.posting import read_posting
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 0.25
SIGN_OF_LIFE_EVERY_S: Final = 5.0
LINES_PER_EXCHANGE: Final = 200
ACCOUNTS_MAX: Final = 20_000
"""Accounts of one tenure; the next one is opened then, and this one ends when its holds have."""
WAIT_FOR_ROOM_S: Final = 1.0
"""How long a request waits for holds of others to end, where the budget itself still has room."""
ASK_AGAIN_S: Final = 0.05
KNOWN_FOR_S: Final = 0.25
"""How long an exhausted account is taken as exhausted without asking."""
DOWN_FOR_S: Final = 0.5
"""How long a store that failed is left alone."""
RETRY_AFTER_S: Final = 1.0
_FIRST_WANT: Final = 4
"""A first slice is for this many more requests of the same size."""


class NoRoom(Exception):
    """An account has no room for a hold of `amount`; `state` is how it stood, `at_hand` what this process may
    still hold of it."""

    def __init__(self, account: Account, state: AccountState, amount: int, at_hand: int) -> None:
        super().__init__(account.account_id)
        self.account = account
        self.state = state
        self.amount = amount
        self.at_hand = at_hand


class Tenure:
    """The leases one holder has at one store, from its opening until its last hold was posted."""

    def __init__(self, store: LedgerStore, holder: str) -> None:
        self.store = store
        self.holder = holder
        self.payer = ""
        self.leases: dict[str, Lease] = {}
        self.accounts: dict[str, Account] = {}
        self.groups: dict[tuple[tuple[str, ...], tuple[str, ...]], HoldGroup] = {}
        self.asking = asyncio.Lock()
        self.exchanged_at = 0.0
        self.unrecorded = 0
        """Holds whose attempts have no row in the journal yet."""

    @property
    def opened(self) -> bool:
        return bool(self.payer)

    def lease(self, account: Account, now: float) -> Lease:
        """The lease of an account, made when there is none."""
        self.accounts[account.account_id] = account
        found = self.leases.get(account.account_id)
        if found is None:
            found = self.leases[account.account_id] = Lease(account.account_id, now)
        return found

    def group(self, leased: tuple[str, ...], soft: tuple[str, ...]) -> HoldGroup:
        """One object for all holds on the same accounts."""
        key = (leased, soft)
        found = self.groups.get(key)
        if found is None:
            found = self.groups[key] = HoldGroup(self.holder, self.payer, leased, soft)
        return found


class LeaseBook:
    """Belongs to one event loop. `run` is a task of its owner; `aclose` after the usage log was flushed.

    `stores` are asked in their order: while the first is down, new leases come from the next. `flush` returns
    when all rows recorded so far are in the database, or raises StoreUnavailable.
    """

    def __init__(
        self,
        stores: Sequence[LedgerStore],
        board: HoldBoard,
        clock: Clock,
        new_holder: Callable[[], str],
        flush: Callable[[], Awaitable[None]],
        *,
        wait_for_room_s: float = WAIT_FOR_ROOM_S,
    ) -> None:
        self._stores = tuple(stores)
        self._board = board
        self._clock = clock
        self._new_holder = new_holder
        self._flush = flush
        self._wait_for_room_s = wait_for_room_s
        self._tenures: dict[int, Tenure] = {}
        self._ending: list[Tenure] = []
        self._down_until: dict[int, float] = {}
        self._recalled = False
        self._closed = False
        self.exchanges = 0
        """How often the ledger was asked."""

    # Holding

    def try_take(
        self, accounts: Sequence[Account], amount: int, now: float
    ) -> tuple[Tenure, list[Lease]] | None:
        """Holds the amount on every account from slices at hand, or on none. Never waits."""
        tenure = self._current(now)
        if tenure is None or not tenure.opened:
            return None
        leases = [tenure.lease(account, now) for account in accounts]
        for lease in leases:
            if amount > lease.free:
                return None
        for lease in leases:
            lease.take(amount, now)
        tenure.unrecorded += 1
        return tenure, leases

    @staticmethod
    def recorded(tenure: Tenure) -> None:
        """The attempt of one hold is in the journal, or was never sent."""
        tenure.unrecorded -= 1

    async def take(
        self, accounts: Sequence[Account], amount: int, within_s: float
    ) -> tuple[Tenure, list[Lease]]:
        """As `try_take`, asking the ledger for what is missing. Waits a little for holds of others to end.

        Raises:
            NoRoom: the budget has no room for it, or none that others gave free in time.
            StoreUnavailable: nobody can tell; nothing is held.
        """
        give_up_at = self._clock.monotonic() + min(self._wait_for_room_s, max(0.0, within_s))
        chances = len(self._stores)
        while True:
            now = self._clock.monotonic()
            taken = self.try_take(accounts, amount, now)
            if taken is not None:
                return taken
            try:
                await self._ask(accounts, amount)
            except NoRoom as full:
                if self._clock.monotonic() + ASK_AGAIN_S >= give_up_at or not _may_come(full):
                    raise
                await asyncio.sleep(ASK_AGAIN_S)
            except StoreUnavailable:
                # The next store, or the same one under a new name, may be able to tell.
                chances -= 1
                if chances < 0 or self._clock.monotonic() >= give_up_at:
                    raise

    async def _ask(self, accounts: Sequence[Account], amount: int) -> None:
        """One exchange for what is missing. Raises NoRoom, StoreUnavailable."""
        tenure = await self._opened()
        async with tenure.asking:
            now = self._clock.monotonic()
            lines = []
            for account in accounts:
                lease = tenure.lease(account, now)
                need = max(0, amount - lease.free)
                if not need:
                    continue
                self._refuse_what_is_known(account, lease, need, amount, now)
                want = max(lease.ahead(now), _FIRST_WANT * amount)
                lines.append(_line(account, lease, need, want))
            if not lines:
                return  # somebody who asked before brought enough for this one as well
            answer = await self._exchange(tenure, lines)
        if answer.refused is not None:
            refused = next(line.account for line in lines if line.account.account_id == answer.refused)
            state = tenure.leases[answer.refused].state
            assert state is not None, "every answer carries the account's state"
            raise NoRoom(refused, state, amount, max(0, tenure.leases[answer.refused].free))

    @staticmethod
    def _refuse_what_is_known(account: Account, lease: Lease, need: int, amount: int, now: float) -> None:
        # An exhausted budget must not cost a round trip per refused request.
        state = lease.state
        if state is None or now - lease.told_at > KNOWN_FOR_S:
            return
        if state.limit_nano_usd == account.limit_nano_usd and not _room_if_returned(state, lease, need):
            raise NoRoom(account, state, amount, max(0, lease.free))

    # The ledger

    def _current(self, now: float) -> Tenure | None:
        for index, store in enumerate(self._stores):
            if now < self._down_until.get(index, 0.0):
                continue
            tenure = self._tenures.get(index)
            if tenure is None or len(tenure.leases) > ACCOUNTS_MAX:
                if tenure is not None:
                    self._ending.append(tenure)
                tenure = self._tenures[index] = Tenure(store, self._new_holder())
            return tenure
        return None

    async def _opened(self) -> Tenure:
        for _ in self._stores:
            tenure = self._current(self._clock.monotonic())
            if tenure is None:
                break
            if tenure.opened:
                return tenure
            try:
                async with tenure.asking:
                    if not tenure.opened:
                        self._board.announce(tenure.holder)
                        tenure.payer = await tenure.store.open(tenure.holder, self._now_us())
                return tenure
            except StoreUnavailable:
                self._is_down(tenure)
        raise StoreUnavailable(
            "the budget ledger is not reachable, and what this instance may spend without asking is used up",
            retry_after_s=RETRY_AFTER_S,
        )

    async def _exchange(self, tenure: Tenure, lines: Sequence[LeaseLine]) -> Exchange:
        self.exchanges += 1
        try:
            answer = await tenure.store.exchange(tenure.holder, lines, self._now_us())
        except HolderFenced:
            self._end(tenure)
            raise StoreUnavailable(
                "the ledger had given this instance up for lost; it starts anew", retry_after_s=RETRY_AFTER_S
            ) from None
        except BaseException as error:
            for line in lines:  # also when the caller left: what was asked may be granted even later
                tenure.leases[line.account.account_id].doubt(self._clock.monotonic())
            if isinstance(error, StoreUnavailable):
                self._is_down(tenure)
            raise
        now = self._clock.monotonic()
        tenure.exchanged_at = now
        for line, told in zip(lines, answer.answers, strict=True):
            lease = tenure.leases[line.account.account_id]
            lease.granted_total = max(lease.granted_total, told.granted_total)
            lease.state, lease.told_at = told.state, now
            lease.wanted, lease.unsure = told.wanted, False
        return answer

    def _is_down(self, tenure: Tenure) -> None:
        for index, store in enumerate(self._stores):
            if store is tenure.store:
                self._down_until[index] = self._clock.monotonic() + DOWN_FOR_S

    def _end(self, tenure: Tenure) -> None:
        for index, current in list(self._tenures.items()):
            if current is tenure:
                del self._tenures[index]
                self._ending.append(tenure)

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)

    # Beside requests

    def recall(self, budgets: Iterable[Budget]) -> None:
        """Budgets changed: what is idle goes back with the next look, and comes anew under their limits."""
        self._recalled = True
        by_id = {budget.budget_id: budget for budget in budgets}
        for tenure in self._tenures.values():
            for account_id, account in tenure.accounts.items():
                if (budget := by_id.get(account.budget_id)) is not None:
                    tenure.accounts[account_id] = renewed(account, budget)

    def posted(self, events: Iterable[RequestEvent]) -> None:
        """These rows are in the database: a ledger that is a pool is told with the next exchange.

        Never told too much: what is not told counts as leased until the tenure ends.
        """
        by_holder = {each.holder: each.leases for each in (*self._tenures.values(), *self._ending)}
        for event in events:
            for attempt in event.attempts:
                if not attempt.ledger:
                    continue
                posting = read_posting(attempt.attempt_id, attempt.ledger)
                leases = by_holder.get(posting.holder, {})
                for account_id in posting.leased:
                    if (lease := leases.get(account_id)) is not None:
                        lease.posted_total += posting.charged_nano_usd

    def state(self, account_id: str) -> AccountState | None:
        """How an account stood when the ledger was last asked; None: it never was."""
        for tenure in self._tenures.values():
            lease = tenure.leases.get(account_id)
            if lease is not None and lease.state is not None:
                return lease.state
        return None

    def at_hand(self, account_id: str) -> int:
        """What this instance may hold of an account without asking."""
        return sum(
            max(0, tenure.leases[account_id].free)
            for tenure in self._tenures.values()
            if account_id in tenure.leases
        )

    def watch(self, accounts: Iterable[Account], now: float) -> None:
        """Follows accounts that are only counted."""
        tenure = self._current(now)
        if tenure is not None:
            for account in accounts:
                tenure.lease(account, now).used_at = now

    async def run(self) -> None:
        """Looks after the leases until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Gives back what is idle, follows accounts in use, and ends tenures whose holds have ended."""
        recalled, self._recalled = self._recalled, False
        for tenure in list(self._tenures.values()):
            try:
                await self._look_at(tenure, recalled)
            except StoreUnavailable:
                self._recalled = self._recalled or recalled
        for tenure in list(self._ending):
            if not tenure.unrecorded and await self._close(tenure):
                self._ending.remove(tenure)

    async def _look_at(self, tenure: Tenure, recalled: bool) -> None:
        now = self._clock.monotonic()
        if not tenure.opened:
            if not tenure.leases:
                return
            await self._opened()
        async with tenure.asking:
            lines = []
            for account_id, lease in tenure.leases.items():
                back = lease.give_back_all() if recalled else lease.shrink(now, wanted=lease.wanted)
                if back or lease.concerns_ledger(now):
                    lines.append(
                        _line(tenure.accounts[account_id], lease, 0, 0 if recalled else lease.top_up(now))
                    )
            silent_s = now - tenure.exchanged_at
            if not lines and silent_s < SIGN_OF_LIFE_EVERY_S:
                return
            for start in range(0, max(1, len(lines)), LINES_PER_EXCHANGE):
                await self._exchange(tenure, lines[start : start + LINES_PER_EXCHANGE])

    async def _close(self, tenure: Tenure) -> bool:
        try:
            if tenure.opened:
                # What it charged has to be posted first: whatever it has left over is free from then on.
                await self._flush()
                await tenure.store.close(tenure.holder, self._now_us())
        except StoreUnavailable:
            return False
        self._board.retire(tenure.holder)
        return True

    async def aclose(self) -> None:
        """Gives everything back. Call it when nothing is held any more. Idempotent.

        What cannot be given back now is, once another process finds the board.
        """
        if self._closed:
            return
        self._closed = True
        for tenure in (*self._tenures.values(), *self._ending):
            if tenure.unrecorded or not await self._close(tenure):
                log.warning(
                    "the ledger did not take back what this instance had leased; it will be recovered"
                )


def _line(account: Account, lease: Lease, need: int, want: int) -> LeaseLine:
    return LeaseLine(account, lease.returned_total, lease.posted_total, need, want)


def _room_if_returned(state: AccountState, lease: Lease, need: int) -> bool:
    """Whether there could be room for it, if everybody gave back what is not spent."""
    return state.committed_nano_usd + need + max(0, lease.held) <= state.limit_nano_usd


def _may_come(full: NoRoom) -> bool:
    """Whether room may come free without the budget growing."""
    state = full.state
    return state.committed_nano_usd + full.amount <= state.limit_nano_usd
