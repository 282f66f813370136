"""What the ledger forgets, so that its small tables stay small. Entries are not touched here."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, or_, select

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
UNUSED_KEPT_US: Final = DAY_US
"""How long an account is kept that nothing is counted on."""
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


def unused_accounts(connection: Connection, now_us: int) -> list[str]:
    """Some accounts that say nothing a new one would not say: callers make up subjects without end.

    Nothing was ever charged to them, or all of it has left their sliding window. To be read beside writers,
    because it may look at every account.
    """
    columns = budget_accounts.c
    statement = select(columns.account_id).where(
        _says_nothing(now_us), ~_leased_by_somebody(), ~_has_slots(now_us)
    )
    return list(connection.execute(statement.limit(ROWS_PER_CALL)).scalars())


def forget_unused(connection: Connection, account_ids: Sequence[str], now_us: int) -> int:
    """Deletes those of `unused_accounts` that still are; how many."""
    columns = budget_accounts.c
    statement = (
        select(columns.account_id)
        .where(columns.account_id.in_(account_ids), _says_nothing(now_us))
        .order_by(columns.account_id)
        .with_for_update(skip_locked=True)
    )
    locked = list(connection.execute(statement).scalars())
    # Only under the lock, and asked anew, it is certain that no process has totals of its own to compare.
    unused = select(columns.account_id).where(
        columns.account_id.in_(locked), ~_leased_by_somebody(), ~_has_slots(now_us)
    )
    gone = list(connection.execute(unused).scalars())
    for table in (budget_leases, budget_slots, budget_accounts):
        connection.execute(delete(table).where(table.c.account_id.in_(gone)))
    return len(gone)


def _says_nothing(now_us: int) -> ColumnElement[bool]:
    columns = budget_accounts.c
    return and_(
        columns.unresolved_nano_usd == 0,
        columns.leased_nano_usd == 0,
        columns.updated_at_us < now_us - UNUSED_KEPT_US,
        or_(
            and_(columns.spent_nano_usd == 0, columns.told == ""),
            and_(columns.rolling_us > 0, columns.updated_at_us < now_us - DAY_US - 2 * columns.rolling_us),
        ),
    )


def _leased_by_somebody() -> ColumnElement[bool]:
    """A process that is not closed knows totals of its lease, which must not begin anew."""
    return exists().where(
        budget_leases.c.account_id == budget_accounts.c.account_id,
        budget_leases.c.holder == budget_holders.c.holder,
        budget_holders.c.state != HolderState.CLOSED.value,
    )


def _has_slots(now_us: int) -> ColumnElement[bool]:
    return exists().where(
        budget_slots.c.account_id == budget_accounts.c.account_id,
        budget_slots.c.slot_us >= now_us - 2 * budget_accounts.c.rolling_us,
    )


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
