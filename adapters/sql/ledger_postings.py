"""Posting what new usage rows did to budgets, in the transaction that writes the rows."""

import logging
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, Dialect, event

from adapters.sql.ledger_page import UNOPENED_SLOT_US, LedgerPage
from adapters.sql.ledger_tables import budget_entries
from adapters.sql.usage_inserts import rows_into
from application.budget_alerts import AlertListener, log_alerts
from domain.analytics.event import RequestEvent
from domain.budgets.period import ROLLING_SLOTS, slot_of
from domain.budgets.posting import HoldOutcome, Posting, read_posting

log = logging.getLogger("interchange")
_AMOUNT_MAX = 2**62
Late = tuple[Posting, int]
_SumKey = tuple[str, str, str, bool, int]


class LedgerPostings:
    """A follower of `SqlUsageWriter`; the last one, so that accounts are locked for as short as possible.

    `on_alerts` is told as the transaction is committed.
    """

    def __init__(self, dialect: Dialect, on_alerts: AlertListener = log_alerts) -> None:
        self._entries = rows_into(budget_entries, dialect)
        self._on_alerts = on_alerts

    def __call__(self, connection: Connection, events: Sequence[RequestEvent]) -> None:
        postings = _postings(events)
        if not postings:
            return
        page = LedgerPage(connection, max(at_us for _, at_us in postings))
        page.load(
            {account_id for posting, _ in postings for account_id in posting.accounts},
            {name for posting, _ in postings for name in (posting.holder, posting.payer)},
        )
        page.know((posting.attempt_id for posting, _ in postings), everywhere=False)
        _post(page, postings)
        alerts = page.save(self._entries)
        if alerts:
            event.listen(connection, "commit", lambda _connection: self._on_alerts(alerts))


def _postings(events: Sequence[RequestEvent]) -> list[Late]:
    """Of all attempts that say one, with the moment the attempt ended; each attempt once."""
    found: dict[str, Late] = {}
    for request in events:
        for attempt in request.attempts:
            if not attempt.ledger:
                continue
            try:
                posting = _checked(read_posting(attempt.attempt_id, attempt.ledger))
            except ValueError as error:
                log.error("attempt %s was not charged to any budget: %s", attempt.attempt_id, error)
                continue
            at_us = min(max(attempt.started_at_us + attempt.duration_us, 0), _AMOUNT_MAX)
            found.setdefault(posting.attempt_id, (posting, at_us))
    return list(found.values())


def _checked(posting: Posting) -> Posting:
    """Raises ValueError for what no hold can say."""
    amounts = (posting.charged_nano_usd, posting.held_nano_usd, posting.cost_nano_usd)
    if not all(0 <= amount <= _AMOUNT_MAX for amount in amounts):
        raise ValueError(f"amounts out of range: {amounts}")
    if len(set(posting.accounts)) < len(posting.accounts):
        raise ValueError("an account is named twice")
    return posting


def _post(page: LedgerPage, postings: Sequence[Late]) -> None:
    """Most are settled and new: their entries are noted one by one, their charges summed up before the
    rules see them. The others go through the rules one by one."""
    rolling = {
        account_id: books.account.rolling_us
        for account_id, books in page.ledger.books.items()
        if books.account is not None
    }
    sums: Counter[_SumKey] = Counter()
    latest: dict[_SumKey, int] = {}
    for posting, at_us in postings:
        if posting.outcome is HoldOutcome.UNRESOLVED or page.knows(posting.attempt_id, posting.accounts):
            page.post(posting, at_us, marked=False)
            continue
        for accounts, leased, charged in (
            (posting.leased, True, posting.charged_nano_usd),
            (posting.soft, False, posting.cost_nano_usd),
        ):
            for account_id in accounts:
                page.note(
                    posting,
                    account_id,
                    posting.outcome if leased else HoldOutcome.SETTLED,
                    charged,
                    at_us,
                    marked=False,
                )
                window_us = rolling.get(account_id, UNOPENED_SLOT_US * ROLLING_SLOTS)
                part = slot_of(at_us, window_us) if window_us else 0
                key = (account_id, posting.holder, posting.payer, leased, part)
                sums[key] += charged
                latest[key] = max(latest.get(key, 0), at_us)
    # Oldest first, as the rules would have met them.
    for key in sorted(sums, key=latest.__getitem__):
        account_id, holder, payer, leased, _ = key
        page.post_sum(account_id, holder, payer, sums[key], latest[key], leased=leased)
