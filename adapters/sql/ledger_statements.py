"""The statements of the ledger, built once per dialect."""

from typing import Any, Final

from sqlalchemy import BindParameter, Dialect, Table, bindparam, delete, func, or_, select, update

from adapters.sql.among import among
from adapters.sql.ledger_tables import (
    budget_accounts,
    budget_entries,
    budget_holders,
    budget_leases,
    budget_marks,
    budget_slots,
    outbox,
)
from adapters.sql.upserts import insert_into
from domain.budgets.posting import HoldOutcome

_accounts, _leases, _marks = budget_accounts.c, budget_leases.c, budget_marks.c
_ids: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_holders: Final[BindParameter[Any]] = bindparam("holders", expanding=True)
outstanding: Final = _leases.granted_nano_usd - _leases.returned_nano_usd - _leases.settled_nano_usd

ACCOUNTS_LOCKED: Final = (
    select(budget_accounts)
    .where(_accounts.account_id.in_(_ids))
    .order_by(_accounts.account_id)
    .with_for_update()
)
"""In one order for everybody, so that nobody waits in a circle."""
ACTIVE_LEASES: Final = select(budget_leases).where(
    _leases.account_id.in_(_ids), or_(outstanding > 0, _leases.holder.in_(_holders))
)
SLOTS: Final = select(budget_slots).where(budget_slots.c.account_id.in_(_ids))
MARKS_OF_ATTEMPTS: Final = select(budget_marks).where(among(_marks.attempt_id))
ENTRIES_OF_ATTEMPTS: Final = select(budget_entries.c.attempt_id, budget_entries.c.account_id).where(
    budget_entries.c.attempt_id.in_(_ids)
)
UNRESOLVED_OF_ATTEMPT: Final = select(_marks.account_id).where(
    _marks.attempt_id == bindparam("attempt_id"), _marks.outcome == HoldOutcome.UNRESOLVED.value
)
ACCOUNTS_OF_HOLDER: Final = select(_leases.account_id).where(
    _leases.holder == bindparam("holder"), outstanding > 0
)
SEEN: Final = (
    update(budget_holders)
    .where(budget_holders.c.holder == bindparam("b_holder"), budget_holders.c.state == bindparam("b_state"))
    .values(seen_us=bindparam("b_seen_us"))
)
FIGURES: Final = (
    update(budget_accounts)
    .where(_accounts.account_id == bindparam("b_account_id"))
    .values(
        {
            name: bindparam(f"b_{name}")
            for name in (
                "spent_nano_usd",
                "unresolved_nano_usd",
                "leased_nano_usd",
                "wanted_until_us",
                "updated_at_us",
                "first_slot_us",
                "told",
            )
        }
    )
)
DECLARED_COLUMNS: Final = [column.name for column in budget_accounts.columns][1:15]
"""What an account was declared with; its id before, its figures behind."""
DECLARATION: Final = (
    update(budget_accounts)
    .where(_accounts.account_id == bindparam("b_account_id"))
    .values({name: bindparam(f"b_{name}") for name in DECLARED_COLUMNS})
)
DROP_SLOT: Final = delete(budget_slots).where(
    budget_slots.c.account_id == bindparam("b_account_id"), budget_slots.c.slot_us == bindparam("b_slot_us")
)
DROP_SLOTS: Final = delete(budget_slots).where(budget_slots.c.account_id == bindparam("b_account_id"))
_BILL: Final[dict[str, BindParameter[Any]]] = {
    "outcome": bindparam("b_outcome"),
    "charged_nano_usd": bindparam("b_charged"),
    "resolved_at_us": bindparam("b_resolved"),
}
RESOLVE_MARK: Final = (
    update(budget_marks)
    .where(_marks.attempt_id == bindparam("b_attempt_id"), _marks.account_id == bindparam("b_account_id"))
    .values(_BILL)
)
RESOLVE_ENTRY: Final = (
    update(budget_entries)
    .where(
        budget_entries.c.attempt_id == bindparam("b_attempt_id"),
        budget_entries.c.account_id == bindparam("b_account_id"),
        budget_entries.c.at_us == bindparam("b_at_us"),
    )
    .values(_BILL)
)
"""With its time, which says in which partition it stands."""
ACTIVE_HOLDERS: Final = (
    select(_leases.account_id, func.count().label("holders"))
    .where(_leases.account_id.in_(_ids), outstanding > 0)
    .group_by(_leases.account_id)
)


class Inserts:
    """Those that say what happens to rows that are there already."""

    def __init__(self, dialect: Dialect) -> None:
        new_accounts = insert_into(dialect, budget_accounts)
        self.accounts: Any = new_accounts.on_conflict_do_nothing()
        self.leases: Any = _replacing(
            dialect,
            budget_leases,
            ["granted_nano_usd", "returned_nano_usd", "settled_nano_usd", "charged_nano_usd"],
        )
        slots = insert_into(dialect, budget_slots)
        self.slots: Any = slots.on_conflict_do_update(
            index_elements=["account_id", "slot_us"],
            set_={"spent_nano_usd": budget_slots.c.spent_nano_usd + slots.excluded.spent_nano_usd},
        )
        self.marks: Any = insert_into(dialect, budget_marks).on_conflict_do_nothing()
        holders = insert_into(dialect, budget_holders)
        self.holders: Any = holders.on_conflict_do_update(
            index_elements=["holder"], set_={"seen_us": holders.excluded.seen_us}
        )
        self.outbox: Any = insert_into(dialect, outbox).on_conflict_do_nothing()


def _replacing(dialect: Dialect, table: Table, columns: list[str]) -> Any:
    statement = insert_into(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in columns},
    )


_KNOWN: dict[str, Inserts] = {}


def inserts(dialect: Dialect) -> Inserts:
    """Those of a dialect."""
    found = _KNOWN.get(dialect.name)
    if found is None:
        found = _KNOWN[dialect.name] = Inserts(dialect)
    return found
