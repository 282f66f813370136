"""What holds of money after every run, whatever the seed."""

from collections import Counter

from domain.budgets.ledger import HolderState
from domain.budgets.posting import HoldOutcome, read_posting
from tests.simulation.money_world import MoneyOutcome


def check_money(outcome: MoneyOutcome) -> None:
    """Raises AssertionError for the first broken promise."""
    for check in MONEY_CHECKS:
        check(outcome)


def no_bill_ever_passed_a_limit(outcome: MoneyOutcome) -> None:
    assert not outcome.bill.overspent, outcome.bill.overspent[:3]


def nothing_was_sent_without_its_worst_cost_held(outcome: MoneyOutcome) -> None:
    assert not outcome.bill.unheld, outcome.bill.unheld[:3]


def every_attempt_is_charged_its_bill_or_more(outcome: MoneyOutcome) -> None:
    """Exactly where the provider counted, at the held amount where nobody knows; never less."""
    charged: dict[tuple[str, str], int] = {}
    for account_id, books in outcome.ledger.ledger.books.items():
        if books.account is None or not books.account.hard:
            continue
        for attempt_id, entry in books.entries.items():
            if attempt_id.startswith("lost:"):
                continue
            charged[attempt_id, account_id] = entry.charged
            billed = outcome.bill.by_attempt.get(attempt_id, 0)
            if entry.outcome is HoldOutcome.UNRESOLVED:
                assert entry.charged >= billed, attempt_id
            else:
                assert entry.charged == billed, (attempt_id, entry.charged, billed)
    known = {attempt_id for attempt_id, _ in charged}
    missing = [one for one, cost in outcome.bill.by_attempt.items() if cost and one not in known]
    assert not missing, missing[:3]


def the_ledger_says_no_less_than_the_bill(outcome: MoneyOutcome) -> None:
    for account_id, billed in outcome.bill.by_account.items():
        books = outcome.ledger.ledger.books[account_id]
        assert books.spent + books.unresolved >= billed, account_id


def sums_and_entries_agree(outcome: MoneyOutcome) -> None:
    for account_id, books in outcome.ledger.ledger.books.items():
        sums: Counter[bool] = Counter()
        for entry in books.entries.values():
            sums[entry.outcome is HoldOutcome.UNRESOLVED] += entry.charged
        assert (books.spent, books.unresolved) == (sums[False], sums[True]), account_id


def rows_and_entries_agree(outcome: MoneyOutcome) -> None:
    """Every row's posting is in the ledger; what was recovered before its row came counts once."""
    for event in outcome.rows.rows.values():
        for attempt in event.attempts:
            posting = read_posting(attempt.attempt_id, attempt.ledger)
            for account_id in posting.leased:
                entry = outcome.ledger.ledger.books[account_id].entries[attempt.attempt_id]
                assert entry.charged == posting.charged_nano_usd, attempt.attempt_id


def nothing_stays_leased(outcome: MoneyOutcome) -> None:
    assert not outcome.left_open, outcome.left_open[:3]
    left = {
        (books.account.name if books.account else "", holder): lease.outstanding
        for books in outcome.ledger.ledger.books.values()
        for holder, lease in books.leases.items()
        if lease.outstanding
    }
    assert not left, left
    still_open = [name for name, state in outcome.ledger.ledger.holders.items() if state is HolderState.OPEN]
    assert not still_open, still_open


MONEY_CHECKS = (
    no_bill_ever_passed_a_limit,
    nothing_was_sent_without_its_worst_cost_held,
    every_attempt_is_charged_its_bill_or_more,
    the_ledger_says_no_less_than_the_bill,
    sums_and_entries_agree,
    rows_and_entries_agree,
    nothing_stays_leased,
)
