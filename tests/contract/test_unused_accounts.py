"""Callers make up agents and sessions: what their accounts leave in the database goes again."""

from sqlalchemy import func, select

from adapters.sql.ledger import FORGET_EVERY_US, SqlLedger
from adapters.sql.ledger_tables import budget_accounts, budget_leases, budget_slots
from adapters.sql.ledger_upkeep import ROWS_PER_CALL, UNUSED_KEPT_US
from application.ports.ledger import AccountFilter, LeaseLine
from contracts.ports.ledger_world import DAY_US, HOUR_US, NOW_US, SECOND_US, USD, account
from domain.budgets.posting import HoldOutcome, Posting
from tests.contract.sql_world import AnySqlWorld

LATER_US = NOW_US + UNUSED_KEPT_US + DAY_US
TOTAL = account("acc_total", end_us=None)
ROLLING = account("acc_rolling", rolling_us=HOUR_US)


def charge(name: str, amount: int = USD) -> Posting:
    outcome = HoldOutcome.SETTLED if amount else HoldOutcome.RELEASED
    return Posting("req_1.1", outcome, amount, USD, amount, "one", "one", (name,))


async def kept(sql: AnySqlWorld) -> list[str]:
    statement = select(budget_accounts.c.account_id).order_by(budget_accounts.c.account_id)
    return list(await sql.database.read(lambda connection: connection.execute(statement).scalars().all()))


async def test_accounts_that_nothing_was_ever_charged_to_go(sql: AnySqlWorld) -> None:
    ledger = SqlLedger(sql.database)
    await ledger.open("one", NOW_US)
    refused = [account(f"acc_{number}", 0, end_us=None) for number in range(ROWS_PER_CALL + 5)]
    await ledger.exchange("one", [LeaseLine(each, need=1) for each in refused], NOW_US)
    await ledger.exchange("one", [LeaseLine(TOTAL, need=USD)], NOW_US)
    await ledger.post([charge(TOTAL.account_id)], NOW_US)

    await ledger.resolve_older(0, LATER_US)
    await ledger.resolve_older(0, LATER_US + 5 * SECOND_US)

    assert await kept(sql) == [TOTAL.account_id]


async def test_what_a_living_process_leases_stays_until_it_is_closed(sql: AnySqlWorld) -> None:
    ledger = SqlLedger(sql.database)
    await ledger.open("one", NOW_US)
    await ledger.exchange("one", [LeaseLine(TOTAL, need=USD)], NOW_US)
    await ledger.post([charge(TOTAL.account_id, 0)], NOW_US)
    await ledger.exchange("one", [LeaseLine(TOTAL, USD)], NOW_US)

    await ledger.resolve_older(0, LATER_US)
    assert await kept(sql) == [TOTAL.account_id]

    await ledger.close("one", LATER_US)
    await ledger.resolve_older(0, LATER_US + 2 * FORGET_EVERY_US)
    assert await kept(sql) == []
    assert await sql.database.read(
        lambda connection: connection.execute(select(func.count()).select_from(budget_leases)).scalar() == 0
    )


async def test_a_sliding_window_goes_when_all_has_left_it(sql: AnySqlWorld) -> None:
    ledger = SqlLedger(sql.database)
    await ledger.open("one", NOW_US)
    await ledger.exchange("one", [LeaseLine(ROLLING, need=USD)], NOW_US)
    await ledger.post([charge(ROLLING.account_id)], NOW_US)
    await ledger.close("one", NOW_US)

    await ledger.resolve_older(0, NOW_US + HOUR_US // 2)
    assert await kept(sql) == [ROLLING.account_id]

    await ledger.resolve_older(0, LATER_US)
    assert await kept(sql) == []
    assert await sql.database.read(
        lambda connection: connection.execute(select(func.count()).select_from(budget_slots)).scalar() == 0
    )


async def test_an_account_that_was_forgotten_opens_anew(sql: AnySqlWorld) -> None:
    ledger = SqlLedger(sql.database)
    await ledger.open("one", NOW_US)
    await ledger.exchange("one", [LeaseLine(TOTAL, need=101 * USD)], NOW_US)
    await ledger.resolve_older(0, LATER_US)
    assert await kept(sql) == []

    answer = await ledger.exchange("one", [LeaseLine(TOTAL, need=USD)], LATER_US)

    assert answer.answers[0].granted_total == USD
    (row,) = await ledger.accounts(AccountFilter())
    assert row.state.leased_nano_usd == USD
