"""How budgets stand: what is spent, held and left, when it starts anew, and when it will be used up."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from application.budget_book import BudgetBook
from application.budget_format import to_us
from application.budget_rates import NOT_KNOWN, Lately, RecentSpending, lately
from application.ports.keys import KeyStore
from application.ports.ledger import AccountFilter, AccountRow, LedgerBooks
from application.ports.system import Clock
from application.use_cases.manage_budgets import READ, BudgetRecord, ManageBudgets
from domain.budgets.budget import Account, account_of
from domain.budgets.forecast import Forecast, Spending, forecast
from domain.budgets.lease import AccountState
from domain.budgets.scope import EACH, Spender
from domain.errors import InvalidRequest, StoreUnavailable
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

ACCOUNTS_MAX: Final = 1_000
CONCERNED_MAX: Final = 200
TIGHTEST_TIMEOUT_S: Final = 2.0


class Standing(NamedTuple):
    """One account as it is now, and as it will go on."""

    account: Account
    state: AccountState
    forecast: Forecast

    @property
    def remaining_nano_usd(self) -> int:
        """What is neither spent nor possibly spent; leases of processes are in it, being spendable there."""
        return max(0, self.state.limit_nano_usd - self.state.committed_nano_usd)


class Concerned(NamedTuple):
    """A budget that a spender concerns."""

    record: BudgetRecord
    standing: Standing


class ReportBudgets:
    """For whoever may see the budget. `book` is what this process holds requests to."""

    def __init__(
        self,
        manage: ManageBudgets,
        books: LedgerBooks,
        recent: RecentSpending,
        book: BudgetBook,
        keys: KeyStore,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._manage = manage
        self._books = books
        self._recent = recent
        self._book = book
        self._clock = clock

    async def accounts(
        self, by: Principal, budget_id: str, *, subject: str | None = None, limit: int = 100
    ) -> tuple[BudgetRecord, list[Standing]]:
        """Its accounts of the present period, the most used first; subjects that spent nothing have none.

        Raises InvalidRequest, NotFound, Forbidden, StoreUnavailable.
        """
        if not 1 <= limit <= ACCOUNTS_MAX:
            raise InvalidRequest(f"limit must be 1-{ACCOUNTS_MAX}", param="limit")
        record = await self._manage.one(by, budget_id)
        now_us = self._now_us()
        rows = await self._rows(record, subject, now_us)
        since = _since(record, rows)
        recent = await self._recent.of(record.budget, since or 0, now_us) if rows else {}
        standings = [self._standing(record, row, lately(recent, row.account.subject)) for row in rows]
        standings.sort(key=lambda one: (-one.state.committed_nano_usd, one.account.subject))
        return record, standings[:limit]

    async def check(self, by: Principal, spender: Spender) -> list[Concerned]:
        """Which budgets an attempt of this spender concerns now, the tightest hard one first. What its key
        is counted for, if that is not said, is taken from the key.

        Raises Forbidden (also for another tenant's spender), InvalidRequest (an unknown key),
        StoreUnavailable.
        """
        check_tenant(by, spender.tenant, READ)
        spender = await self._as_its_key_says(spender)
        now = self._clock.utc_now()
        found = []
        for record in await self._manage.all(by):
            account = account_of(record.budget, spender, now)
            if account is None:
                continue
            where = AccountFilter(
                budget_id=account.budget_id, subject=account.subject, current_at_us=to_us(now)
            )
            rows = await self._books.accounts(where, limit=1)
            row = (
                rows[0] if rows and rows[0].account.account_id == account.account_id else _untouched(account)
            )
            found.append(Concerned(record, self._standing(record, row, NOT_KNOWN)))
            if len(found) >= CONCERNED_MAX:
                break
        return sorted(found, key=lambda one: (not one.standing.account.hard, one.standing.remaining_nano_usd))

    async def _as_its_key_says(self, spender: Spender) -> Spender:
        if not spender.key:
            return spender
        for record in await self._keys.all():
            if record.tenant_id == spender.tenant and spender.key in (record.key_id, record.name):
                return spender._replace(
                    key=record.key_id,
                    team=spender.team or record.team,
                    project=spender.project or record.project,
                )
        raise InvalidRequest(f"no key {spender.key[:100]!r} in this tenant", param="key")

    async def tightest(self, by: Principal) -> Standing | None:
        """The budget that leaves this key least, hard ones before soft; None: none concerns it, or nobody
        knows within a moment. Only of figures that are the tenant's own."""
        spender = Spender(by.tenant_id, by.team, by.project, by.key_id)
        now = self._clock.utc_now()
        accounts = [
            account
            for account in self._book.concerning(spender, now, to_us(now)).accounts
            if account.tenant_id == by.tenant_id
        ]
        found: list[Standing] = []
        try:
            async with asyncio.timeout(TIGHTEST_TIMEOUT_S):
                for account in accounts[:CONCERNED_MAX]:
                    where = AccountFilter(
                        budget_id=account.budget_id, subject=account.subject, current_at_us=to_us(now)
                    )
                    rows = await self._books.accounts(where, limit=1)
                    found.append(_standing(account, rows[0] if rows else _untouched(account), to_us(now)))
        except (TimeoutError, StoreUnavailable):
            return None
        return min(found, key=lambda one: (not one.account.hard, one.remaining_nano_usd), default=None)

    async def _rows(self, record: BudgetRecord, subject: str | None, now_us: int) -> list[AccountRow]:
        budget = record.budget
        where = AccountFilter(budget_id=budget.budget_id, subject=subject, current_at_us=now_us)
        rows = await self._books.accounts(where, limit=ACCOUNTS_MAX)
        # A budget that was given another period has accounts of both for a while.
        now = self._clock.utc_now()
        window = budget.period.window(now)
        rows = [
            row
            for row in rows
            if (row.account.period_end_us, row.account.rolling_us) == (window.end_us, window.rolling_us)
        ]
        parts = budget.scope.parts
        if not rows and not subject and all(value != EACH for _, value in parts):
            named = {dimension.value: value for dimension, value in parts}
            account = account_of(budget, Spender(**{"tenant": "", **named}), now)
            rows = [] if account is None else [_untouched(account)]
        return rows

    def _standing(self, record: BudgetRecord, row: AccountRow, recent: Lately) -> Standing:
        budget = record.budget
        account = row.account._replace(
            name=budget.name, limit_nano_usd=budget.limit_nano_usd, hard=budget.hard, contact=budget.contact
        )
        return _standing(account, row, self._now_us(), _since(record, [row]), recent)

    def _now_us(self) -> int:
        return to_us(self._clock.utc_now())


def _standing(
    account: Account,
    row: AccountRow,
    now_us: int,
    since_us: int | None = None,
    recent: Lately = NOT_KNOWN,
) -> Standing:
    """Under the limit that is in force now: the ledger's own may be the one before."""
    state = row.state._replace(limit_nano_usd=account.limit_nano_usd)
    start = since_us or account.period_start_us or (0 if account.rolling_us else None)
    spending = Spending(
        account.limit_nano_usd,
        state.committed_nano_usd,
        start,
        account.period_end_us,
        account.rolling_us,
        recent.hour,
        recent.day,
    )
    return Standing(account, state, forecast(spending, now_us))


def _since(record: BudgetRecord, rows: Sequence[AccountRow]) -> int | None:
    """Since when a budget has counted in its present period; None: nobody knows."""
    created = 0 if record.created_at is None else to_us(record.created_at)
    started = max((row.account.period_start_us for row in rows), default=0)
    return max(created, started) or None


def _untouched(account: Account) -> AccountRow:
    state = AccountState(account.account_id, account.limit_nano_usd, 0, 0, 0)
    return AccountRow(account, state, 0, 0)
