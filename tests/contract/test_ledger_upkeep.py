"""What the ledger forgets in time, and what it never does."""

from collections.abc import Callable

from sqlalchemy import Connection, Table, func, select

from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_tables import (
    budget_accounts,
    budget_entries,
    budget_holders,
    budget_leases,
    budget_marks,
)
from adapters.sql.ledger_upkeep import ACCOUNTS_KEPT_US, DAY_US, HOLDERS_KEPT_US, MARKS_KEPT_US, forget_old
from application.ports.ledger import AccountFilter, LeaseLine
from contracts.ports.ledger_world import NOW_US, USD, account
from domain.budgets.posting import HoldOutcome, Posting
from tests.contract.sql_world import AnySqlWorld

DAILY = account()
TOTAL = account("acc_total", end_us=None)


def counted(*tables: Table) -> Callable[[Connection], list[int]]:
    def work(connection: Connection) -> list[int]:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]

    return work


async def spent(sql: AnySqlWorld, *, outcome: HoldOutcome = HoldOutcome.SETTLED) -> SqlLedger:
    """A ledger with one closed holder that was charged on two accounts."""
    ledger = SqlLedger(sql.database)
    await ledger.open("one", NOW_US)
    await ledger.exchange("one", [LeaseLine(each, need=USD) for each in (DAILY, TOTAL)], NOW_US)
    accounts = (DAILY.account_id, TOTAL.account_id)
    await ledger.post([Posting("req_1.1", outcome, USD, USD, USD, "one", "one", accounts)], NOW_US)
    await ledger.close("one", NOW_US)
    return ledger


async def test_what_may_still_matter_is_kept(sql: AnySqlWorld) -> None:
    await spent(sql)

    gone = await sql.database.write(lambda connection: forget_old(connection, NOW_US + 6 * DAY_US))

    assert gone == 0


async def test_leases_of_closed_holders_go_first(sql: AnySqlWorld) -> None:
    ledger = await spent(sql)
    await ledger.open("two", NOW_US)

    await ledger.resolve_older(0, NOW_US + HOLDERS_KEPT_US + 1)

    assert await sql.database.read(counted(budget_holders, budget_leases)) == [1, 0]
    states = [row.state for row in await ledger.accounts(AccountFilter())]
    assert [(state.spent_nano_usd, state.leased_nano_usd) for state in states] == [(USD, 0), (USD, 0)]


async def test_a_late_charge_to_a_forgotten_holder_frees_nothing(sql: AnySqlWorld) -> None:
    ledger = await spent(sql)
    await sql.database.write(lambda connection: forget_old(connection, NOW_US + HOLDERS_KEPT_US + 1))

    late = Posting("req_2.1", HoldOutcome.SETTLED, USD, USD, USD, "one", "one", (TOTAL.account_id,))
    await ledger.post([late], NOW_US + HOLDERS_KEPT_US + 2)

    (row,) = [row for row in await ledger.accounts(AccountFilter()) if row.account == TOTAL]
    assert (row.state.spent_nano_usd, row.state.leased_nano_usd) == (2 * USD, 0)


async def test_resolved_marks_go_and_their_entries_stay(sql: AnySqlWorld) -> None:
    await spent(sql)

    await sql.database.write(lambda connection: forget_old(connection, NOW_US + MARKS_KEPT_US + 1))

    assert await sql.database.read(counted(budget_marks, budget_entries)) == [0, 2]


async def test_accounts_of_long_ended_periods_go_and_those_without_an_end_never(sql: AnySqlWorld) -> None:
    ledger = await spent(sql)
    much_later_us = NOW_US + ACCOUNTS_KEPT_US + 2 * DAY_US

    await sql.database.write(lambda connection: forget_old(connection, much_later_us))

    assert [row.account for row in await ledger.accounts(AccountFilter())] == [TOTAL]


async def test_nothing_unresolved_is_forgotten(sql: AnySqlWorld) -> None:
    ledger = await spent(sql, outcome=HoldOutcome.UNRESOLVED)

    await sql.database.write(lambda connection: forget_old(connection, NOW_US + 2 * ACCOUNTS_KEPT_US))

    assert len(await ledger.unresolved(None)) == 2
    assert await sql.database.read(counted(budget_accounts, budget_marks)) == [2, 2]
