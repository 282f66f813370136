"""The leases of this process: holds are taken from them in memory, and a look now and then keeps them right.

In the common case a hold is a comparison and an addition per account. Only when a slice is used up does a
request wait for an exchange with the ledger, which brings more than it needs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from application.ports.hold_board import HoldBoard
from application.ports.ledger import Exchange, HolderFenced, LeaseLine, LedgerStore
from application.ports.system import Clock
from application.tenure import NoRoom, Tenure, line_of, room_if_returned
from domain.analytics.event import RequestEvent
from domain.budgets.budget import Account, Budget, renewed
from domain.budgets.lease import KEEP_IDLE_S, AccountState, Lease
from domain.budgets.posting import read_posting
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 0.25
SIGN_OF_LIFE_EVERY_S: Final = 5.0
LINES_PER_EXCHANGE: Final = 200
LINES_PER_LOOK: Final = 1000
"""Of more accounts than that, those come first that were looked at longest ago."""
QUIET_LOOK_EVERY_S: Final = 1.0
"""How often accounts are looked at of which nothing is idle and nobody takes anything: long answers."""
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


class LeaseBook:
    """Belongs to one event loop. `run` is a task of its owner; `aclose` after the usage log was flushed.

    `stores` are asked in their order: while the first is down, new leases come from the next. `flush` returns
    when all rows recorded so far are in the database, or raises StoreUnavailable; looks wait for it.
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
        current = self._current(now)
        if current is not None and current.opened:
            leases = current.leases_of(accounts, now)
            if current.take(leases, amount, now):
                return current, leases
        for index, until in self._down_until.items():
            # A store that does not answer took nothing back: what it granted is still here to be held.
            away = self._tenures.get(index) if now < until else None
            if away is None or not away.opened or (known := away.known(accounts)) is None:
                continue
            if away.take(known, amount, now):
                return away, known
        return None

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
                if self._clock.monotonic() + ASK_AGAIN_S >= give_up_at or not full.may_come:
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
            if tenure.ended:
                return  # meanwhile; the next one is asked
            if self._is_away(tenure):
                raise _away()  # whoever asked before has waited for all
            now = self._clock.monotonic()
            lines = []
            for account in accounts:
                lease = tenure.lease(account, now)
                need = max(0, amount - lease.free)
                if not need:
                    continue
                self._refuse_what_is_known(tenure, account, need, amount, now)
                want = max(lease.ahead(now), _FIRST_WANT * amount)
                lines.append(line_of(account, lease, need, want))
            if not lines:
                return  # somebody who asked before brought enough for this one as well
            answer = await self._exchange(tenure, lines)
        if answer.refused is not None:
            refused = next(line.account for line in lines if line.account.account_id == answer.refused)
            lease = tenure.leases[answer.refused]
            assert lease.state is not None, "every answer carries the account's state"
            needed = next(line.need for line in lines if line.account is refused)
            tenure.lacks(refused, needed, self._clock.monotonic())
            raise NoRoom(refused, lease.state, amount, max(0, lease.free))

    @staticmethod
    def _refuse_what_is_known(tenure: Tenure, account: Account, need: int, amount: int, now: float) -> None:
        # An exhausted budget must not cost a round trip per refused request, and of many who wait for the
        # same room one asks for all.
        lease = tenure.leases[account.account_id]
        state = lease.state
        if state is None or state.limit_nano_usd != account.limit_nano_usd:
            return
        known = now - lease.told_at <= KNOWN_FOR_S and not room_if_returned(state, lease, need)
        if known or tenure.lacked(account, need, now - ASK_AGAIN_S):
            raise NoRoom(account, state, amount, max(0, lease.free))

    # The ledger

    def _current(self, now: float) -> Tenure | None:
        for index, store in enumerate(self._stores):
            if now < self._down_until.get(index, 0.0):
                continue
            tenure = self._tenures.get(index)
            if tenure is None or len(tenure.leases) > ACCOUNTS_MAX:
                if tenure is not None:
                    self._end(tenure)
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
                    if not tenure.opened and self._is_away(tenure):
                        continue
                    if not tenure.opened:
                        self._board.announce(tenure.holder)
                        tenure.payer = await tenure.store.open(tenure.holder, self._now_us())
                return tenure
            except StoreUnavailable:
                self._is_down(tenure)
        raise _away()

    async def _exchange(self, tenure: Tenure, lines: Sequence[LeaseLine]) -> Exchange:
        self.exchanges += 1
        try:
            answer = await tenure.store.exchange(tenure.holder, lines, self._now_us())
        except HolderFenced:
            tenure.fenced = True
            self._end(tenure)
            raise StoreUnavailable(
                "the ledger had given this instance up for lost; it starts anew", retry_after_s=RETRY_AFTER_S
            ) from None
        except BaseException as error:
            for line in lines:  # also when the caller left: what was asked may be granted even later
                tenure.leases[line.account.account_id].doubt(self._clock.monotonic())
            if isinstance(error, StoreUnavailable):
                tenure.unheard = True
                self._is_down(tenure)
            raise
        now = self._clock.monotonic()
        tenure.exchanged_at, tenure.unheard = now, False
        for line, told in zip(lines, answer.answers, strict=True):
            lease = tenure.leases[line.account.account_id]
            lease.granted_total = max(lease.granted_total, told.granted_total)
            lease.state, lease.told_at = told.state, now
            lease.wanted, lease.unsure = told.wanted, False
        return answer

    def _is_down(self, tenure: Tenure) -> None:
        self._down_until[self._stores.index(tenure.store)] = self._clock.monotonic() + DOWN_FOR_S

    def _is_away(self, tenure: Tenure) -> bool:
        until = self._down_until.get(self._stores.index(tenure.store), 0.0)
        return self._clock.monotonic() < until

    def _end(self, tenure: Tenure) -> None:
        for index, current in list(self._tenures.items()):
            if current is tenure:
                del self._tenures[index]
                tenure.ended = True
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
            if tenure.unrecorded:
                await self._wind_down(tenure)
            elif await self._close(tenure):
                self._ending.remove(tenure)

    async def _look_at(self, tenure: Tenure, recalled: bool) -> None:
        if not tenure.opened:
            if not tenure.leases:
                return
            await self._opened()
        if tenure.unheard:
            # What was given back cannot be held any more: that waits until somebody listens again.
            async with tenure.asking:
                await self._exchange(tenure, ())
        now = self._clock.monotonic()
        due = [each for each in tenure.leases.values() if each.concerns_ledger(now)]
        if not recalled:
            due = [each for each in due if not _is_quiet(each, now)]
            if len(due) > LINES_PER_LOOK:
                due.sort(key=lambda lease: (not lease.unsure, lease.told_at))
                del due[LINES_PER_LOOK:]
        if not due and now - tenure.exchanged_at < SIGN_OF_LIFE_EVERY_S:
            return
        for start in range(0, max(1, len(due)), LINES_PER_EXCHANGE):
            # One part at a time: who waits for room must not wait for all of it.
            async with tenure.asking:
                some = due[start : start + LINES_PER_EXCHANGE]
                await self._exchange(tenure, [self._looked(tenure, each, recalled) for each in some])

    def _looked(self, tenure: Tenure, lease: Lease, recalled: bool) -> LeaseLine:
        now = self._clock.monotonic()
        if recalled or tenure.ended:
            lease.give_back_all()
        else:
            lease.shrink(now, wanted=lease.wanted)
        want = 0 if recalled or tenure.ended else lease.top_up(now)
        return line_of(tenure.accounts[lease.account_id], lease, 0, want)

    async def _wind_down(self, tenure: Tenure) -> None:
        """Holds still run under it, for as long as their answers last: what is idle is for others."""
        if tenure.opened and not tenure.fenced:
            try:
                await self._look_at(tenure, False)
            except StoreUnavailable:
                return
        tenure.forget_idle()

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


def _away() -> StoreUnavailable:
    return StoreUnavailable(
        "the budget ledger is not reachable, and what this instance may spend without asking is used up",
        retry_after_s=RETRY_AFTER_S,
    )


def _is_quiet(lease: Lease, now: float) -> bool:
    """Whether looking at it can wait: it has nothing to give back, and nobody takes anything."""
    if lease.unsure or lease.free > 0 or now - lease.used_at < KEEP_IDLE_S:
        return False
    return now - lease.told_at < QUIET_LOOK_EVERY_S
