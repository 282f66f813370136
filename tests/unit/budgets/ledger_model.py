"""A small world of processes, a ledger that can be lost, and a model of what everybody must agree on."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from adapters.memory.hold_board import InMemoryHoldBoard
from adapters.memory.ledger import InMemoryLedger
from application.lease_book import LeaseBook
from application.ports.ledger import Exchange, HolderFenced, LeaseLine, LedgerStore
from application.ports.system import Clock
from application.tenure import Tenure
from domain.budgets.budget import Account
from domain.budgets.lease import DOUBT_S, Lease
from domain.budgets.posting import HoldOutcome, Posting
from domain.errors import StoreUnavailable

Result = TypeVar("Result")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def drive(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs what never has to wait."""
    try:
        work.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    work.close()
    raise AssertionError("it waited for something")


class WanderingClock(Clock):
    """The time of day may go back; the other one does not."""

    def __init__(self) -> None:
        self.passed_s = 1000.0
        self.day = START

    def monotonic(self) -> float:
        return self.passed_s

    def utc_now(self) -> datetime:
        return self.day

    def __repr__(self) -> str:
        return str(self.day)

    def advance(self, seconds: float) -> None:
        self.passed_s += seconds
        self.day += timedelta(seconds=seconds)

    def put_back(self, seconds: float) -> None:
        self.day -= timedelta(seconds=seconds)

    @property
    def now_us(self) -> int:
        return int(self.day.timestamp() * 1e6)


class Link(LedgerStore):
    """One process's connection: calls may not arrive, arrive without an answer, or arrive much later."""

    def __init__(self, ledger: InMemoryLedger, clock: WanderingClock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.mode = "up"
        self.late: list[tuple[str, tuple[Any, ...], float]] = []

    def __repr__(self) -> str:
        return f"{self.mode}, {[name for name, *_ in self.late]}"

    async def open(self, holder: str, now_us: int) -> str:
        result: str = await self._call("open", holder, now_us)
        return result

    async def exchange(self, holder: str, lines: Sequence[LeaseLine], now_us: int) -> Exchange:
        result: Exchange = await self._call("exchange", holder, tuple(lines), now_us)
        return result

    async def close(self, holder: str, now_us: int) -> None:
        await self._call("close", holder, now_us)

    async def post(self, postings: Sequence[Posting], now_us: int) -> None:
        await self._call("post", tuple(postings), now_us)

    async def give_up_lost(self, silent_since_us: int, book_before_us: int, now_us: int) -> int:
        return await self.ledger.give_up_lost(silent_since_us, book_before_us, now_us)

    async def _call(self, name: str, *arguments: Any) -> Any:
        if self.mode == "down":
            raise StoreUnavailable("down")
        if self.mode == "late":
            self.late.append((name, arguments, self.clock.passed_s))
            raise StoreUnavailable("no answer yet")
        result = await self._run(name, arguments)
        if self.mode == "mute":
            raise StoreUnavailable("the answer got lost")
        return result

    async def deliver(self) -> None:
        """What was sent a while ago arrives; nobody reads the answer. At last it is given up on the way."""
        name, arguments, sent_at = self.late.pop(0)
        if self.clock.passed_s - sent_at >= DOUBT_S:
            return
        try:
            await self._run(name, arguments)
        except HolderFenced:
            return

    async def _run(self, name: str, arguments: tuple[Any, ...]) -> Any:
        before = granted_in(self.ledger)
        result = await getattr(self.ledger, name)(*arguments)
        after = granted_in(self.ledger)
        for account_id, holder in after:
            if after[account_id, holder] == before.get((account_id, holder), 0):
                continue
            state = self.ledger.ledger.books[account_id].state(account_id)
            counted = state.committed_nano_usd + state.leased_nano_usd
            assert counted <= state.limit_nano_usd, f"granted beyond the limit of {account_id}: {state}"
        return result


def granted_in(ledger: InMemoryLedger) -> dict[tuple[str, str], int]:
    return {
        (account_id, holder): lease.granted
        for account_id, books in ledger.ledger.books.items()
        for holder, lease in books.leases.items()
    }


@dataclass(eq=False)
class Attempt:
    """What was sent, and what it will truly cost: known to nobody until it ends."""

    attempt_id: str
    accounts: tuple[Account, ...]
    amount: int
    bill: int
    tenure: Tenure
    leases: list[Lease]
    place: int
    outcome: HoldOutcome | None = None
    charged: int = 0

    def __repr__(self) -> str:
        return f"{self.attempt_id}: {self.bill} of {self.amount}"

    @property
    def counts_for(self) -> int:
        """What is certainly or possibly spent."""
        return self.amount if self.outcome is None else self.charged

    def posting(self) -> Posting:
        assert self.outcome is not None
        ids = tuple(account.account_id for account in self.accounts)
        tenure = self.tenure
        return Posting(
            self.attempt_id, self.outcome, self.charged, self.amount, 0, tenure.holder, tenure.payer, ids
        )


@dataclass(eq=False)
class Computer:
    """One process: its leases, its board, its journal, and its connection."""

    name: str
    clock: WanderingClock
    link: Link
    posted: "Charges"
    board: InMemoryHoldBoard = field(default_factory=InMemoryHoldBoard)
    open: list[Attempt] = field(default_factory=list)
    """Sent, without a row in the journal."""
    journal: list[Attempt] = field(default_factory=list)
    """With a row, which may not be in the database yet."""
    lost: list[Attempt] = field(default_factory=list)
    """Rows that were in the journal once."""
    tenures: int = 0
    dead: bool = False

    def __post_init__(self) -> None:
        self.book = LeaseBook(
            [self.link], self.board, self.clock, self._new_holder, self.flush, wait_for_room_s=0.01
        )

    def __repr__(self) -> str:
        return self.name

    def _new_holder(self) -> str:
        self.tenures += 1
        return f"{self.name}-{self.tenures}"

    def at_hand(self, account_id: str) -> int:
        """What it may spend without asking."""
        return 0 if self.dead else self.book.at_hand(account_id)

    def send(self, attempt_id: str, accounts: tuple[Account, ...], amount: int, bill: int) -> Attempt:
        """Raises NoRoom, StoreUnavailable."""
        tenure, leases = drive(self.book.take(accounts, amount, 1.0))
        group = tenure.group(tuple(account.account_id for account in accounts), ())
        place = self.board.put(attempt_id, amount, group)
        attempt = Attempt(attempt_id, accounts, amount, bill, tenure, leases, place)
        self.open.append(attempt)
        return attempt

    def never_send(self, accounts: tuple[Account, ...], amount: int) -> None:
        """A hold that is let go before anything was sent."""
        tenure, leases = drive(self.book.take(accounts, amount, 1.0))
        for lease in leases:
            lease.settle(amount, 0, self.clock.monotonic())
        self.book.recorded(tenure)

    def settle(self, attempt: Attempt, *, known: bool) -> None:
        if not known:
            attempt.outcome, attempt.charged = HoldOutcome.UNRESOLVED, attempt.amount
        elif attempt.bill == 0:
            attempt.outcome, attempt.charged = HoldOutcome.RELEASED, 0
        else:
            attempt.outcome, attempt.charged = HoldOutcome.SETTLED, attempt.bill
        for lease in attempt.leases:
            lease.settle(attempt.amount, attempt.charged, self.clock.monotonic())

    def record(self, attempt: Attempt) -> None:
        """Its row is in the journal."""
        self.open.remove(attempt)
        self.journal.append(attempt)
        self.board.clear(attempt.place)
        self.book.recorded(attempt.tenure)

    def die(self, *, while_recording: bool) -> None:
        """Perhaps between writing a row and freeing the place of its hold."""
        self.dead = True
        if while_recording:
            self.journal += [attempt for attempt in self.open if attempt.outcome is not None][:1]

    async def flush(self) -> None:
        """Rows and their postings reach the database, in groups of two, each of them twice."""
        while self.journal:
            group = self.journal[:2]
            if self.link.mode != "up":
                raise StoreUnavailable("down")
            for _ in range(2):
                await self.posted.post(self.link.ledger, group, self.clock.now_us)
            del self.journal[:2]


class Charges:
    """What the ledger has to have charged, kept apart from it: by account, then by attempt."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, int]] = {}
        self.unresolved: dict[str, Attempt] = {}
        self.final_us: dict[str, int] = {}
        self.latest_us = 0
        self.attempts: dict[str, Attempt] = {}

    async def post(self, ledger: InMemoryLedger, attempts: Sequence[Attempt], now_us: int) -> None:
        await ledger.post([attempt.posting() for attempt in attempts], now_us)
        for attempt in attempts:
            assert attempt.outcome is not None
            self.note(attempt, attempt.outcome, attempt.charged, now_us)

    def note(self, attempt: Attempt, outcome: HoldOutcome, charged: int, now_us: int) -> None:
        """The first posting counts; a later one only where it resolves an unresolved one."""
        name = attempt.attempt_id
        if name in self.final_us or (name in self.unresolved and outcome is HoldOutcome.UNRESOLVED):
            return
        self.attempts[name] = attempt
        for account in attempt.accounts:
            self.of.setdefault(account.account_id, {})[name] = charged
        if outcome is HoldOutcome.UNRESOLVED:
            self.unresolved[name] = attempt
        else:
            self.unresolved.pop(name, None)
            self.final_us[name] = now_us

    def has(self, attempt: Attempt) -> bool:
        return attempt.attempt_id in self.attempts

    def still_counting(self, account: Account, name: str) -> bool:
        """Sliding windows forget, by the latest time of day that anybody ever saw."""
        if not account.rolling_us or name in self.unresolved:
            return True
        return self.final_us[name] > self.latest_us - account.rolling_us
