"""The ledger in the database answers as the rules in memory do, whatever is done in which order."""

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory.ledger import InMemoryLedger
from adapters.memory.outbox import InMemoryOutbox
from adapters.sql.database import SqlDatabase
from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_postings import LedgerPostings
from adapters.sql.outbox import SqlOutbox
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import upgrade
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.ledger import AccountFilter, Exchange, HolderFenced, LeaseLine
from application.ports.outbox import OutboxEvent
from contracts.ports.ledger_world import HOUR_US, NOW_US, SECOND_US, account
from contracts.ports.usage import attempt, usage_event
from domain.analytics.event import RequestEvent
from domain.budgets.budget import Account
from domain.budgets.posting import HoldOutcome, Posting, posting_text

HOLDERS = ("one", "two", "three")
HARD = (
    account("acc_day", 1000)._replace(alert_at=(5_000, 10_000)),
    account("acc_slide", 600, rolling_us=HOUR_US),
)
SOFT = (
    account("acc_soft", 300, hard=False)._replace(alert_at=(8_000, 9_000, 10_000)),
    account("acc_soft_slide", 300, hard=False, rolling_us=HOUR_US),
)
ACCOUNTS = {each.account_id: each for each in HARD + SOFT}

Charge = tuple[str, HoldOutcome, int, int, tuple[list[Account], list[Account]]]

holders = st.sampled_from(HOLDERS)
amounts = st.integers(0, 60) | st.integers(0, 900)
lines = st.lists(
    st.tuples(st.sampled_from(sorted(ACCOUNTS)), amounts, amounts, amounts),
    max_size=3,
    unique_by=lambda line: line[0],
)
subsets = st.tuples(
    st.lists(st.sampled_from(HARD), unique=True, max_size=2),
    st.lists(st.sampled_from(SOFT), unique=True, max_size=2),
)
outcomes = st.sampled_from(HoldOutcome)
charges = st.tuples(holders, outcomes, st.integers(0, 300), st.integers(0, 300), subsets)
exchanges = st.tuples(st.just("exchange"), holders, lines)
passes = st.tuples(
    st.just("pass"), st.sampled_from([SECOND_US, 61 * SECOND_US, 25 * 60 * SECOND_US, 65 * 60 * SECOND_US])
)
operations = st.one_of(
    exchanges,
    exchanges,
    passes,
    passes,
    st.tuples(st.just("open"), holders),
    st.tuples(st.just("limit"), st.sampled_from(sorted(ACCOUNTS)), st.integers(0, 1500)),
    st.tuples(st.just("post"), charges),
    st.tuples(st.just("rows"), st.lists(charges, min_size=1, max_size=5)),
    st.tuples(st.just("again"), st.integers(0, 5), outcomes, st.integers(0, 300), st.booleans()),
    st.tuples(st.just("resolve"), st.integers(0, 5), st.none() | st.integers(0, 300)),
    st.tuples(st.just("resolve_older"), st.integers(0, 2 * HOUR_US)),
    st.tuples(st.just("close"), holders),
    st.tuples(st.just("give_up"), st.integers(0, 60 * SECOND_US), st.integers(0, 120 * SECOND_US)),
)


@dataclass
class Pair:
    """Both ledgers, told the same."""

    database: SqlDatabase
    now_us: int = NOW_US
    accounts: dict[str, Account] = field(default_factory=lambda: dict(ACCOUNTS))
    posted: list[Posting] = field(default_factory=list)
    """Those that may come again: a sliding window in memory forgets attempts, the database does not."""
    made: int = 0

    def __post_init__(self) -> None:
        self.said = InMemoryOutbox()
        self.memory = InMemoryLedger(self.said)
        self.sql = SqlLedger(self.database, on_alerts=_quiet)
        self.writer = SqlUsageWriter(self.database, [LedgerPostings(self.database.dialect, _quiet)])

    async def do(self, name: str, *details: object) -> None:
        if name == "pass":
            (passed_us,) = details
            assert isinstance(passed_us, int)
            self.now_us += passed_us
            self.posted = [each for each in self.posted if _open(each)]
        else:
            await getattr(self, f"do_{name}")(*details)
        await self.agree()

    async def do_open(self, holder: str) -> None:
        for ledger in (self.memory, self.sql):
            await ledger.open(holder, self.now_us)

    async def do_limit(self, account_id: str, limit: int) -> None:
        self.accounts[account_id] = self.accounts[account_id]._replace(limit_nano_usd=limit)

    async def do_exchange(self, holder: str, said: Sequence[tuple[str, int, int, int]]) -> None:
        told = [LeaseLine(self.accounts[name], back, 0, need, want) for name, back, need, want in said]
        answers: list[Exchange | None] = []
        for ledger in (self.memory, self.sql):
            try:
                answers.append(await ledger.exchange(holder, told, self.now_us))
            except HolderFenced:
                answers.append(None)
        assert answers[0] == answers[1]

    def posting(self, charge: Charge) -> Posting:
        holder, outcome, charged, cost, (hard, soft) = charge
        self.made += 1
        return Posting(
            f"req_{self.made:06d}.1",
            outcome,
            0 if outcome is HoldOutcome.RELEASED else charged,
            charged,
            cost,
            holder,
            "one" if self.made % 3 else holder,
            tuple(each.account_id for each in hard),
            tuple(each.account_id for each in soft),
        )

    async def do_post(self, charge: Charge) -> None:
        posting = self.posting(charge)
        await self.post(posting)
        self.posted.append(posting)

    async def post(self, posting: Posting) -> None:
        for ledger in (self.memory, self.sql):
            await ledger.post([posting], self.now_us)

    async def do_rows(self, charges: list[Charge]) -> None:
        await self.write([self.posting(charge) for charge in charges])

    async def write(self, postings: list[Posting]) -> None:
        """As rows of usage, twice: what was written is not charged again."""
        await self.memory.post(postings, self.now_us)
        rows = [_row(posting, self.made * 10 + place, self.now_us) for place, posting in enumerate(postings)]
        await self.writer.insert(rows)
        await self.writer.insert(rows)

    async def do_again(self, which: int, outcome: HoldOutcome, charged: int, as_row: bool) -> None:
        if not self.posted:
            return
        first = self.posted.pop(which % len(self.posted))
        self.made += 1
        again = first._replace(outcome=outcome, charged_nano_usd=charged)
        await (self.write([again]) if as_row else self.post(again))
        if outcome is HoldOutcome.UNRESOLVED:
            self.posted.append(first)

    async def do_resolve(self, which: int, charged: int | None) -> None:
        found = await self.memory.unresolved(None)
        attempt_id = found[which % len(found)].attempt_id if found else "req_of_nobody.1"
        self.posted = [each for each in self.posted if each.attempt_id != attempt_id]
        resolved = [await each.resolve(attempt_id, charged, self.now_us) for each in (self.memory, self.sql)]
        assert resolved[0] == resolved[1]

    async def do_resolve_older(self, age_us: int) -> None:
        before_us = self.now_us - age_us
        resolved = [await each.resolve_older(before_us, self.now_us) for each in (self.memory, self.sql)]
        assert resolved[0] == resolved[1]
        self.posted = []

    async def do_close(self, holder: str) -> None:
        for ledger in (self.memory, self.sql):
            await ledger.close(holder, self.now_us)

    async def do_give_up(self, silent_us: int, overdue_us: int) -> None:
        booked = [
            await each.give_up_lost(self.now_us - silent_us, self.now_us - overdue_us, self.now_us)
            for each in (self.memory, self.sql)
        ]
        assert booked[0] == booked[1]

    async def agree(self) -> None:
        for where in (AccountFilter(), AccountFilter(subject=""), AccountFilter(current_at_us=self.now_us)):
            assert await self.sql.accounts(where) == await self.memory.accounts(where)
        assert await self.sql.unresolved(None) == await self.memory.unresolved(None)
        said = await SqlOutbox(self.database).newest(None, None, limit=1000)
        assert _keys(said) == _keys(await self.said.newest(None, None, limit=1000))


def _quiet(_alerts: object) -> None:
    return


def _open(posting: Posting) -> bool:
    """Whether no window forgets it before it gets its bill."""
    return posting.outcome is HoldOutcome.UNRESOLVED and not posting.soft


def _keys(events: list[OutboxEvent]) -> set[str]:
    return {event.key for event in events}


def _row(posting: Posting, number: int, ended_us: int) -> RequestEvent:
    said = posting_text(
        posting.outcome,
        posting.charged_nano_usd,
        posting.held_nano_usd,
        posting.cost_nano_usd,
        posting.holder,
        posting.payer,
        posting.leased,
        posting.soft,
    )
    event = usage_event(number)
    tried = attempt(event.request_id, 0, attempt_id=posting.attempt_id, ledger=said)
    return event._replace(attempts=(tried._replace(started_at_us=ended_us - 50, duration_us=50),))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agreement") / "empty.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="module", autouse=True)
def nothing_unused_is_forgotten() -> Iterator[None]:
    """The database forgets accounts that nothing is counted on; the ledger in memory does not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapters.sql.ledger_upkeep.UNUSED_KEPT_US", 2**60)
        yield


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(done=st.lists(operations, min_size=20, max_size=40))
def test_both_ledgers_agree(empty: Path, done: list[tuple[object, ...]]) -> None:
    async def run() -> None:
        path = empty.with_name("ledger.db")
        for old in empty.parent.glob("ledger.db*"):
            old.unlink()
        shutil.copy(empty, path)
        thread = BlockingThread("test-agreement")
        database = SqlDatabase(f"sqlite:///{path}", thread)
        try:
            pair = Pair(database)
            for holder in HOLDERS[:2]:
                await pair.do("open", holder)
                await pair.do("exchange", holder, [(name, 0, 100, 100) for name in sorted(ACCOUNTS)[:3]])
            for name, *details in done:
                await pair.do(str(name), *details)
        finally:
            await database.aclose()
            await thread.aclose()

    asyncio.run(run())
