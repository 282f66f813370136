"""The money of a simulated installation: one ledger, reached badly, and the bill of all providers."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from adapters.memory.ledger import InMemoryLedger
from application.hold import Hold
from application.job import Job
from application.ports.ledger import Exchange, LeaseLine, LedgerStore
from application.ports.usage import UsageLog
from domain.analytics.event import RequestEvent
from domain.budgets.budget import Budget
from domain.budgets.period import make_period
from domain.budgets.posting import Posting, read_posting
from domain.budgets.scope import make_scope
from domain.errors import StoreUnavailable
from tests.simulation.virtual_time import VirtualClock

MEGA = 1_000_000
LOST_ANSWER_SHARE = 0.01
SLOW_SHARE = 0.05
WRITES_EVERY_S = 0.2


def budgets() -> tuple[Budget, ...]:
    """Small ones, so that each is used up: in all, by the hour, of each agent and session, of a provider."""

    def made(name: str, limit: int, *, period: str = "total", hard: bool = True, **scope: str) -> Budget:
        return Budget(
            budget_id=f"bud_{name}",
            owner="default",
            name=name,
            scope=make_scope({"tenant": "default", **scope}),
            period=make_period(period),
            limit_nano_usd=limit,
            hard=hard,
        )

    return (
        made("all", 60 * MEGA),
        made("hourly", 32 * MEGA, period="hour"),
        made("agents", 14 * MEGA, agent="*"),
        made("sessions", 3 * MEGA, session="*"),
        made("beta", 12 * MEGA, provider="beta"),
        made("seen", 1 * MEGA, hard=False),
    )


class Outage(NamedTuple):
    """From one moment of the loop to another; `process` None: nobody reaches the ledger."""

    begins_s: float
    ends_s: float
    process: int | None


def outages(chance: random.Random, processes: int, calm_after_s: float) -> list[Outage]:
    """Short ones for everybody, and long ones for a single process, which is fenced then."""
    found: list[Outage] = []
    at_s = 5.0
    while at_s < calm_after_s:
        everybody = chance.random() < 0.6
        length_s = chance.choice((0.5, 2.0, 6.0)) if everybody else chance.choice((4.0, 16.0))
        found.append(Outage(at_s, at_s + length_s, None if everybody else chance.randrange(processes)))
        at_s += length_s + chance.expovariate(1 / 15)
    return found


class FarLedger(LedgerStore):
    """The one ledger, as one process reaches it: late, not at all, or with answers that get lost."""

    def __init__(
        self,
        ledger: InMemoryLedger,
        chance: random.Random,
        outages: Sequence[Outage],
        process: int,
        calm_s: float,
    ) -> None:
        self._ledger = ledger
        self._chance = chance
        self._outages = outages
        self._process = process
        self._calm_s = calm_s

    def reachable(self) -> bool:
        now = asyncio.get_running_loop().time()
        return not any(
            each.begins_s <= now < each.ends_s and each.process in (None, self._process)
            for each in self._outages
        )

    async def open(self, holder: str, now_us: int) -> str:
        await self._way_there()
        payer = await self._ledger.open(holder, now_us)
        await self._way_back()
        return payer

    async def exchange(self, holder: str, lines: Sequence[LeaseLine], now_us: int) -> Exchange:
        await self._way_there()
        answer = await self._ledger.exchange(holder, lines, now_us)
        await self._way_back()
        return answer

    async def close(self, holder: str, now_us: int) -> None:
        await self._way_there()
        await self._ledger.close(holder, now_us)
        await self._way_back()

    async def post(self, postings: Sequence[Posting], now_us: int) -> None:
        await self._way_there()
        await self._ledger.post(postings, now_us)
        await self._way_back()

    async def give_up_lost(self, silent_since_us: int, book_before_us: int, now_us: int) -> int:
        await self._way_there()
        booked = await self._ledger.give_up_lost(silent_since_us, book_before_us, now_us)
        await self._way_back()
        return booked

    async def _way_there(self) -> None:
        slow = self._chance.random() < SLOW_SHARE
        await asyncio.sleep(self._chance.uniform(0.2, 0.6) if slow else self._chance.uniform(0.001, 0.02))
        if not self.reachable():
            await asyncio.sleep(0.3)
            raise StoreUnavailable("the ledger cannot be reached", retry_after_s=1.0)

    async def _way_back(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.001, 0.01))
        calm = asyncio.get_running_loop().time() >= self._calm_s
        if not self.reachable() or (not calm and self._chance.random() < LOST_ANSWER_SHARE):
            await asyncio.sleep(0.3)
            raise StoreUnavailable("the answer got lost", retry_after_s=1.0)


@dataclass(slots=True)
class Table:
    """The database's rows: each request once, its postings in the same step."""

    ledger: InMemoryLedger
    rows: dict[str, RequestEvent] = field(default_factory=dict)

    def insert(self, events: Sequence[RequestEvent], now_us: int) -> None:
        for event in events:
            if event.request_id in self.rows:
                continue
            self.rows[event.request_id] = event
            for attempt in event.attempts:
                if attempt.ledger:
                    self.ledger.ledger.post(read_posting(attempt.attempt_id, attempt.ledger), now_us)


class JournaledLog(UsageLog):
    """What is in the journal survives its process; it is written whenever the database is reached."""

    def __init__(self, table: Table, way: FarLedger, clock: VirtualClock) -> None:
        self._table = table
        self._way = way
        self._clock = clock
        self.journal: list[RequestEvent] = []
        self.dead = False

    def record(self, event: RequestEvent) -> None:
        if not self.dead:
            self.journal.append(event)

    @property
    def accepting(self) -> bool:
        return True

    @property
    def healthy(self) -> bool:
        return True

    async def flush(self) -> None:
        events = list(self.journal)
        await asyncio.sleep(0.003)
        if not self._way.reachable():
            raise StoreUnavailable("the database cannot be reached", retry_after_s=1.0)
        self._table.insert(events, int(self._clock.utc_now().timestamp() * 1e6))
        await asyncio.sleep(0.002)
        del self.journal[: len(events)]

    async def run(self) -> None:
        """Writes now and then, until cancelled."""
        while True:
            await asyncio.sleep(WRITES_EVERY_S)
            try:
                await self.flush()
            except StoreUnavailable:
                continue


class Bill:
    """What providers billed, by account, at the moment they began to work; every charge is judged at once.

    So is the most they may bill: what is held, and what ended attempts are charged.
    """

    def __init__(self) -> None:
        self.by_attempt: dict[str, int] = {}
        self.by_account: dict[str, int] = defaultdict(int)
        self.allowed: dict[str, int] = {}
        """Of every account, what its bill may never pass."""
        self.overspent: list[str] = []
        self.unheld: list[str] = []
        self._exposed: dict[str, int] = defaultdict(int)
        self._running: dict[str, tuple[Job, Hold]] = {}

    def charge(self, job: Job, cost: int, expected: frozenset[str]) -> None:
        """One call of this job was begun, and costs so much whatever becomes of it."""
        attempt_id = f"{job.request_id}.{len(job.attempts)}"
        hold = next((hold for hold in reversed(job.holds) if hold.open), None)
        if hold is None:
            self.unheld.append(attempt_id)
            return
        names = frozenset(account.name for account in hold.concerned.hard)
        if hold.amount < cost or names != expected:
            self.unheld.append(f"{attempt_id}: {hold.amount} of {cost} on {sorted(names)}")
        self._settle()
        first = attempt_id not in self.by_attempt
        self.by_attempt[attempt_id] = self.by_attempt.get(attempt_id, 0) + cost
        self._running[attempt_id] = (job, hold)
        for account in hold.concerned.hard:
            self.by_account[account.account_id] += cost
            self._exposed[account.account_id] += hold.amount if first else 0
            most = max(self.by_account[account.account_id], self._exposed[account.account_id])
            allowed = self.allowed.setdefault(account.account_id, account.limit_nano_usd)
            if most > allowed:
                self.overspent.append(f"{account.name} {account.subject}: {most} of {allowed}")

    def _settle(self) -> None:
        """What has ended is charged from now on, and no longer held."""
        for attempt_id, (job, hold) in list(self._running.items()):
            if hold.open:
                continue
            del self._running[attempt_id]
            row = next(each for each in job.attempts if each.attempt_id == attempt_id)
            charged = read_posting(attempt_id, row.ledger).charged_nano_usd
            for account in hold.concerned.hard:
                self._exposed[account.account_id] += charged - hold.amount
