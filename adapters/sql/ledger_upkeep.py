"""What the ledger forgets, so that its small tables stay small. Entries are not touched here."""

from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, select

from adapters.sql.ledger_tables import (
    budget_accounts,
    budget_holders,
    budget_leases,
    budget_marks,
    budget_slots,
)
from domain.budgets.ledger import HolderState
from domain.budgets.posting import HoldOutcome

DAY_US: Final = 86_400_000_000
HOLDERS_KEPT_US: Final = 7 * DAY_US
"""How long after its last sign of life a closed holder's leases are kept for whoever recovers it."""
MARKS_KEPT_US: Final = 90 * DAY_US
"""How long after its bill a resolved charge is recalled. A journal that turns up later is charged anew."""
ACCOUNTS_KEPT_US: Final = 400 * DAY_US
"""How long after the end of its period an account is kept."""
ROWS_PER_CALL: Final = 200


def forget_old(connection: Connection, now_us: int) -> int:
    """Deletes a bounded number of rows that no rule looks at any more; how many at least."""
    holders, accounts, marks = budget_holders.c, budget_accounts.c, budget_marks.c
    closed = _some(
        connection,
        budget_holders,
        "holder",
        and_(holders.state == HolderState.CLOSED.value, holders.seen_us < now_us - HOLDERS_KEPT_US),
    )
    if closed:
        # Nothing is left in a closed holder's leases; a late charge to one makes a row anew, and none free.
        connection.execute(delete(budget_leases).where(budget_leases.c.holder.in_(closed)))
        connection.execute(delete(budget_holders).where(holders.holder.in_(closed)))
    ended = _some(
        connection,
        budget_accounts,
        "account_id",
        and_(
            accounts.period_end_us < now_us - ACCOUNTS_KEPT_US,
            accounts.unresolved_nano_usd == 0,
            accounts.leased_nano_usd == 0,
        ),
    )
    if ended:
        for table in (budget_leases, budget_slots, budget_accounts):
            connection.execute(delete(table).where(table.c.account_id.in_(ended)))
    resolved = _some(
        connection,
        budget_marks,
        "attempt_id",
        and_(marks.outcome != HoldOutcome.UNRESOLVED.value, marks.resolved_at_us < now_us - MARKS_KEPT_US),
    )
    if resolved:
        connection.execute(
            delete(budget_marks).where(
                marks.attempt_id.in_(resolved), marks.outcome != HoldOutcome.UNRESOLVED.value
            )
        )
    return len(closed) + len(ended) + len(resolved)


def _some(connection: Connection, table: Table, key: str, condition: ColumnElement[bool]) -> list[str]:
    column = table.c[key]
    # Locked in order, and what somebody else has locked is left for another time.
    statement = (
        select(column)
        .where(condition)
        .order_by(column)
        .limit(ROWS_PER_CALL)
        .with_for_update(skip_locked=True)
    )
    return sorted(set(connection.execute(statement).scalars()))
