"""What people ask the ledger."""

from sqlalchemy import Connection, func, or_, select

from adapters.sql.account_rows import account_from
from adapters.sql.ledger_statements import ACTIVE_HOLDERS
from adapters.sql.ledger_tables import budget_accounts, budget_marks
from application.ports.ledger import AccountFilter, AccountRow, UnresolvedEntry
from domain.budgets.lease import AccountState
from domain.budgets.posting import HoldOutcome


def read_accounts(connection: Connection, where: AccountFilter, limit: int) -> list[AccountRow]:
    """As `LedgerBooks.accounts`."""
    columns = budget_accounts.c
    statement = select(budget_accounts).where(columns.period != "")
    for column, value in (
        (columns.tenant_id, where.tenant_id),
        (columns.budget_id, where.budget_id),
        (columns.subject, where.subject),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if where.current_at_us is not None:
        statement = statement.where(
            columns.period_start_us <= where.current_at_us,
            or_(columns.period_end_us.is_(None), columns.period_end_us > where.current_at_us),
        )
    statement = statement.order_by(columns.period_start_us.desc(), columns.account_id).limit(limit)
    rows = connection.execute(statement).all()
    holders: dict[str, int] = {}
    for start in range(0, len(rows), 1000):
        ids = [row.account_id for row in rows[start : start + 1000]]
        holders |= {row.account_id: row.holders for row in connection.execute(ACTIVE_HOLDERS, {"ids": ids})}
    found = []
    for row in rows:
        account = account_from(row)
        assert account is not None, "rows without a period were left out"
        state = AccountState(
            row.account_id,
            row.limit_nano_usd,
            row.spent_nano_usd,
            row.unresolved_nano_usd,
            row.leased_nano_usd,
        )
        found.append(AccountRow(account, state, holders.get(row.account_id, 0), row.updated_at_us))
    return found


def read_unresolved(connection: Connection, tenant_id: str | None, limit: int) -> list[UnresolvedEntry]:
    """As `LedgerBooks.unresolved`."""
    marks, accounts = budget_marks.c, budget_accounts.c
    tenant = func.coalesce(accounts.tenant_id, "")
    statement = (
        select(
            marks.attempt_id,
            marks.account_id,
            tenant.label("tenant_id"),
            marks.charged_nano_usd,
            marks.holder,
            marks.at_us,
            func.coalesce(accounts.budget_id, ""),
        )
        .join_from(budget_marks, budget_accounts, marks.account_id == accounts.account_id, isouter=True)
        .where(marks.outcome == HoldOutcome.UNRESOLVED.value)
        .order_by(marks.at_us, marks.attempt_id, marks.account_id)
        .limit(limit)
    )
    if tenant_id is not None:
        statement = statement.where(tenant == tenant_id)
    return [UnresolvedEntry(*row) for row in connection.execute(statement)]
