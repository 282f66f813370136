"""What usage rows do to accounts, in the transaction that writes them, on both databases."""

import asyncio
import json
import logging

import pytest
from sqlalchemy import Connection, func, select

from adapters.sql.database import Database
from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_changes import UNOPENED_SLOT_US
from adapters.sql.ledger_postings import LedgerPostings
from adapters.sql.ledger_tables import budget_entries, budget_slots
from adapters.sql.outbox import SqlOutbox
from adapters.sql.schema import usage_requests
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.ledger import AccountFilter, LeaseLine
from contracts.ports.ledger_world import HOUR_US, NOW_US, SECOND_US, USD, account
from contracts.ports.usage import attempt, usage_event
from domain.analytics.event import RequestEvent
from domain.budgets.alerts import Alert
from domain.budgets.budget import Account
from domain.budgets.lease import AccountState
from domain.budgets.period import ROLLING_S, slot_length_us
from domain.budgets.posting import HoldOutcome, Posting, posting_text, read_posting
from tests.contract.sql_world import AnySqlWorld

HARD = account(limit=100 * USD)
SLIDING = account("acc_slide", 10 * USD, rolling_us=HOUR_US)
SOFT = account("acc_soft", 10 * USD, hard=False)._replace(alert_at=(8_000, 9_000))
SETTLED, UNRESOLVED = HoldOutcome.SETTLED, HoldOutcome.UNRESOLVED


def row(
    number: int,
    charged: int,
    *accounts: Account,
    outcome: HoldOutcome = SETTLED,
    cost: int | None = None,
    at_us: int = NOW_US,
    text: str | None = None,
) -> RequestEvent:
    """A request with one attempt that ended at `at_us` and did this to accounts."""
    said = posting_text(
        outcome,
        charged,
        2 * charged,
        charged if cost is None else cost,
        "one",
        "one",
        [each.account_id for each in accounts if each.hard],
        [each.account_id for each in accounts if not each.hard],
    )
    event = usage_event(number)
    tried = attempt(event.request_id, 0, ledger=said if text is None else text)
    return event._replace(attempts=(tried._replace(started_at_us=at_us - 7, duration_us=7),))


def read(event: RequestEvent) -> Posting:
    """What a row says."""
    (tried,) = event.attempts
    return read_posting(tried.attempt_id, tried.ledger)


class Desk:
    """A ledger, and the writer of rows that posts into it."""

    def __init__(self, sql: AnySqlWorld) -> None:
        self.sql = sql
        self.told: list[Alert] = []
        self.ledger = SqlLedger(sql.database, on_alerts=self.told.extend)
        self.writer = SqlUsageWriter(sql.database, [LedgerPostings(sql.database.dialect, self.told.extend)])

    async def lease(self, *accounts: Account, need: int = USD, now_us: int = NOW_US) -> None:
        await self.ledger.open("one", now_us)
        lines = [LeaseLine(each, need=need if each.hard else 0) for each in accounts]
        assert (await self.ledger.exchange("one", lines, now_us)).refused is None

    async def state(self, about: Account) -> AccountState:
        rows = await self.ledger.accounts(AccountFilter())
        (found,) = [each.state for each in rows if each.account.account_id == about.account_id]
        return found

    async def count(self, table: object) -> int:
        def work(connection: Connection) -> int:
            return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]

        return await self.sql.database.read(work)


@pytest.fixture
def desk(sql: AnySqlWorld) -> Desk:
    return Desk(sql)


async def test_rows_are_charged_to_every_account_they_name(desk: Desk) -> None:
    await desk.lease(HARD, SOFT, need=5 * USD)

    await desk.writer.insert([row(number, USD, HARD, SOFT, cost=USD // 2) for number in range(4)])

    assert await desk.state(HARD) == AccountState("acc_one", 100 * USD, 4 * USD, 0, USD)
    assert await desk.state(SOFT) == AccountState("acc_soft", 10 * USD, 2 * USD, 0, 0)
    assert await desk.count(budget_entries) == 8
    assert await desk.ledger.settled_by("one") == {"acc_one": 4 * USD}


async def test_a_row_written_again_is_not_charged_again(desk: Desk) -> None:
    await desk.lease(HARD)
    rows = [row(number, USD // 10, HARD) for number in range(3)]

    for some in (rows, rows, [*rows, row(7, USD // 10, HARD)]):
        await desk.writer.insert(some)

    assert (await desk.state(HARD)).spent_nano_usd == 4 * USD // 10


async def test_a_row_of_an_attempt_that_was_recovered_brings_its_bill(desk: Desk) -> None:
    await desk.lease(HARD, SOFT, need=3 * USD)
    late = row(1, USD, HARD, SOFT)
    held = row(1, 2 * USD, HARD, SOFT, outcome=UNRESOLVED)
    posting = read(held)
    await desk.ledger.post([posting], NOW_US)
    assert (await desk.state(HARD)).unresolved_nano_usd == 2 * USD

    await desk.writer.insert([late, row(2, USD, HARD)])

    state = await desk.state(HARD)
    assert (state.spent_nano_usd, state.unresolved_nano_usd) == (2 * USD, 0)
    assert await desk.ledger.unresolved(None) == []


async def test_a_row_of_an_attempt_that_was_resolved_by_hand_changes_nothing(desk: Desk) -> None:
    await desk.lease(HARD, need=3 * USD)
    await desk.ledger.post([read(row(1, 2 * USD, HARD, outcome=UNRESOLVED))], NOW_US)
    await desk.ledger.resolve(read(row(1, 0)).attempt_id, USD // 2, NOW_US + 1)

    await desk.writer.insert([row(1, USD, HARD)])

    assert (await desk.state(HARD)).spent_nano_usd == USD // 2


async def test_recovering_an_attempt_that_has_a_row_changes_nothing(desk: Desk) -> None:
    await desk.lease(HARD, need=3 * USD)
    await desk.writer.insert([row(1, USD, HARD)])

    await desk.ledger.post([read(row(1, 2 * USD, HARD, outcome=UNRESOLVED))], NOW_US)

    state = await desk.state(HARD)
    assert (state.spent_nano_usd, state.unresolved_nano_usd) == (USD, 0)


async def test_an_unresolved_row_waits_for_its_bill(desk: Desk) -> None:
    await desk.lease(HARD, SOFT, need=3 * USD)

    await desk.writer.insert([row(1, 2 * USD, HARD, SOFT, outcome=UNRESOLVED, cost=USD)])

    (entry,) = await desk.ledger.unresolved("acme")
    assert (entry.account_id, entry.held_nano_usd, entry.since_us) == ("acc_one", 2 * USD, NOW_US)
    assert (await desk.state(SOFT)).spent_nano_usd == USD
    assert await desk.ledger.resolve_older(NOW_US + 1, NOW_US + 2) == 1
    assert (await desk.state(HARD)).spent_nano_usd == 2 * USD


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "settled -5 1 1 one one acc_one -",
        f"settled {2**63} 1 1 one one acc_one -",
        "settled 1 1 1 one one acc_one acc_one",
        "eaten 1 1 1 one one acc_one -",
    ],
)
async def test_a_damaged_posting_is_skipped_said_aloud_and_stops_no_row(
    desk: Desk, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.lease(HARD)
    caplog.set_level(logging.ERROR, "interchange")

    await desk.writer.insert([row(1, USD, HARD, text=text), row(2, USD // 2, HARD)])

    assert (await desk.state(HARD)).spent_nano_usd == USD // 2
    assert await desk.count(usage_requests) == 2
    assert "1 attempts were not charged to any budget, such as req_000000000001_0: " in caplog.text


async def test_rows_without_postings_do_not_touch_the_ledger(desk: Desk) -> None:
    await desk.writer.insert([usage_event(1), usage_event(2)])

    assert await desk.count(budget_entries) == 0


async def test_charges_that_came_before_their_account_was_opened_count(desk: Desk) -> None:
    soft_slide = SLIDING._replace(account_id="acc_early", hard=False)

    await desk.writer.insert(
        [row(1, USD, soft_slide), row(2, USD, soft_slide, at_us=NOW_US - 40 * 60 * SECOND_US)]
    )
    await desk.lease(soft_slide)

    assert (await desk.state(soft_slide)).spent_nano_usd == 2 * USD
    await desk.lease(soft_slide, now_us=NOW_US + 30 * 60 * SECOND_US)
    assert (await desk.state(soft_slide)).spent_nano_usd == USD


async def test_a_sliding_window_forgets_each_part_once(desk: Desk) -> None:
    await desk.lease(SLIDING, need=9 * USD)
    minutes = [0, 0, 10, 10, 20, 30]
    rows = [row(n, USD, SLIDING, at_us=NOW_US + m * 60 * SECOND_US) for n, m in enumerate(minutes)]
    await desk.writer.insert(rows[:3])
    await desk.writer.insert(rows[3:])
    seen = []

    for minute in (59, 62, 65, 72, 75, 82, 85, 92, 200):
        await desk.ledger.exchange("one", [LeaseLine(SLIDING)], NOW_US + minute * 60 * SECOND_US)
        seen.append((await desk.state(SLIDING)).spent_nano_usd // USD)

    assert seen == [6, 4, 4, 2, 2, 1, 1, 0, 0]
    assert await desk.count(budget_slots) == 0


async def test_a_threshold_is_told_once_by_whoever_reaches_it(desk: Desk, sql: AnySqlWorld) -> None:
    other = sql.another()
    writers = [desk.writer, SqlUsageWriter(other, [LedgerPostings(other.dialect, desk.told.extend)])]
    await desk.lease(SOFT)

    for first in range(0, 100, 10):
        await asyncio.gather(
            *(
                writer.insert([row(first + 5 * place + each, USD // 10, SOFT) for each in range(5)])
                for place, writer in enumerate(writers)
            )
        )

    events = await SqlOutbox(sql.database).newest("acme", "cost.budget_alert")
    said = [json.loads(event.payload)["threshold"] for event in events]
    assert sorted(said) == [0.8, 0.9]
    assert sorted(alert.at_basis_points for alert in desk.told) == [8_000, 9_000]
    await other.aclose()


async def test_a_lowered_limit_tells_of_what_is_reached_now(desk: Desk, sql: AnySqlWorld) -> None:
    await desk.lease(SOFT)
    await desk.writer.insert([row(1, 4 * USD, SOFT)])
    assert desk.told == []

    await desk.lease(SOFT._replace(limit_nano_usd=5 * USD))
    await desk.lease(SOFT._replace(limit_nano_usd=4 * USD))

    assert [alert.at_basis_points for alert in desk.told] == [8_000, 9_000]
    assert len(await SqlOutbox(sql.database).waiting()) == 2


def test_the_parts_of_every_window_are_made_of_whole_minutes() -> None:
    assert all(
        slot_length_us(length_s * SECOND_US) % UNOPENED_SLOT_US == 0 for length_s in ROLLING_S.values()
    )


async def test_rows_and_exchanges_of_several_instances_end_and_add_up(desk: Desk, sql: AnySqlWorld) -> None:
    accounts = [account(f"acc_{number}", 10**12) for number in range(6)]
    others = [sql.another() for _ in range(3)]
    bills = 0

    async def instance(number: int, database: Database) -> None:
        nonlocal bills
        ledger = SqlLedger(database)
        writer = SqlUsageWriter(database, [LedgerPostings(database.dialect)])
        await ledger.open("one", NOW_US)
        for turn in range(8):
            some = [accounts[(number + turn + step) % 6] for step in (4, 0, 2)]
            lines = [LeaseLine(each, need=1000, want=500) for each in (some if number % 2 else some[::-1])]
            rows = [row(number * 1000 + turn * 20 + each, 10, *some) for each in range(20)]
            await asyncio.gather(ledger.exchange("one", lines, NOW_US), writer.insert(rows))
            bills += 20

    async with asyncio.timeout(60):
        await asyncio.gather(*(instance(number, other) for number, other in enumerate(others)))

    states = [await desk.state(each) for each in accounts]
    assert sum(state.spent_nano_usd for state in states) == bills * 10 * 3
    assert await desk.count(budget_entries) == bills * 3
    for other in others:
        await other.aclose()
