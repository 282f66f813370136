"""How budgets were used in periods that are over, as recommendations look at them."""

from typing import Final

from application.ports.ledger import AccountFilter, LedgerBooks
from domain.analytics.facts import BudgetPeriod
from domain.analytics.rollup import DAY_US

ACCOUNTS_MAX: Final = 5000
"""The newest of a tenant: a budget for each agent and day has many."""
OBSERVED_DAYS: Final = 400
"""So that some quarters are over."""


async def budget_periods(books: LedgerBooks, tenant_id: str, now_us: int) -> list[BudgetPeriod]:
    """Accounts of calendar periods, of this tenant's own figures. What was spent counts with what is not yet
    known. Raises StoreUnavailable."""
    rows = await books.accounts(AccountFilter(tenant_id=tenant_id), limit=ACCOUNTS_MAX)
    return [
        BudgetPeriod(
            budget_id=account.budget_id,
            name=account.name,
            subject=account.subject,
            unit=account.period,
            limit_nano_usd=account.limit_nano_usd,
            hard=account.hard,
            used_nano_usd=row.state.committed_nano_usd,
            start_us=account.period_start_us,
            end_us=account.period_end_us,
            last_us=row.updated_at_us,
        )
        for row in rows
        if (account := row.account).period_end_us is not None
        and not account.rolling_us
        and account.period_start_us >= now_us - OBSERVED_DAYS * DAY_US
    ]
