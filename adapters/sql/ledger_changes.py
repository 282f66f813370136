"""What an operation of the ledger changed about an account, beside its figures."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Row

from adapters.sql.account_rows import INT_MAX
from domain.budgets.alerts import Alert, alerts_due, reached
from domain.budgets.budget import Account
from domain.budgets.ledger import Books
from domain.budgets.period import oldest_slot, slot_length_us, slot_of
from domain.budgets.posting import HoldOutcome

UNOPENED_SLOT_US: Final = 60_000_000
"""Parts in which the charges of an account are kept before anybody opened it; they fit into any window's."""


class Loaded(NamedTuple):
    """An account as it was before the operation."""

    row: Row[Any]
    account: Account | None
    leases: dict[str, tuple[int, int, int, int]]
    slots: dict[str, int]


def forgets(account: Account | None, first_slot_us: int | None, now_us: int) -> bool:
    """Whether a sliding window has parts that count no longer."""
    if account is None or not account.rolling_us or first_slot_us is None:
        return False
    return slot_of(first_slot_us, account.rolling_us) < oldest_slot(now_us, account.rolling_us)


def slots_after(
    account_id: str, books: Books, loaded: Loaded
) -> tuple[int | None, list[dict[str, Any]], list[dict[str, Any]]]:
    """The begin of the first part, what is added to parts, and parts that are forgotten."""
    account, first = books.account, loaded.row.first_slot_us
    if account is not None and not account.rolling_us:
        return first, [], []
    length_us = UNOPENED_SLOT_US if account is None else slot_length_us(account.rolling_us)
    added: Counter[int] = Counter()
    for name, entry in books.entries.items():
        if entry.outcome is not HoldOutcome.UNRESOLVED and entry.charged and name not in loaded.slots:
            added[entry.counted_us // length_us * length_us] += entry.charged
    forgotten = [slot_us for name, slot_us in loaded.slots.items() if name not in books.entries]
    if loaded.slots:
        first = min(
            (slot_us for name, slot_us in loaded.slots.items() if name in books.entries), default=None
        )
    first = min((each for each in (first, *added) if each is not None), default=None)
    return (
        first,
        [
            {"account_id": account_id, "slot_us": slot_us, "spent_nano_usd": min(spent, INT_MAX)}
            for slot_us, spent in sorted(added.items())
        ],
        [{"b_account_id": account_id, "b_slot_us": slot_us} for slot_us in forgotten],
    )


def alerts_after(books: Books, told: str, now_us: int) -> tuple[list[Alert], str]:
    """Alerts that were not written yet, and those that were, as `round:threshold`."""
    account = books.account
    committed = books.spent + books.unresolved
    if account is None or not account.alert_at:
        return [], told
    if not reached(committed, account.limit_nano_usd, account.alert_at[0]):
        return [], told
    due = {":".join(a.key.rsplit(":", 2)[1:]): a for a in alerts_due(account, committed, now_us)}
    known = set(told.split())
    fresh = [alert for name, alert in due.items() if name not in known]
    if not fresh:
        return [], told
    # Those of earlier rounds of a sliding window are not asked for again.
    rounds = {name.partition(":")[0] for name in due}
    kept = sorted(name for name in known if name.partition(":")[0] in rounds)
    return fresh, " ".join([*kept, *(name for name in due if name not in known)])


def bound(account_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"b_account_id": account_id, **{f"b_{name}": value for name, value in values.items()}}
