"""Posting what new usage rows did to budgets, in the transaction that writes the rows."""

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Dialect, event

from adapters.sql.ledger_changes import UNOPENED_SLOT_US
from adapters.sql.ledger_page import LedgerPage
from adapters.sql.ledger_tables import budget_entries
from adapters.sql.usage_inserts import rows_into
from application.budget_alerts import AlertListener, log_alerts
from domain.analytics.event import RequestEvent
from domain.budgets.posting import HoldOutcome, Posting, read_posting

log = logging.getLogger("interchange")
_AMOUNT_MAX = 2**62
Late = tuple[Posting, int]
_Alike = tuple[str, str, tuple[str, ...], tuple[str, ...], int]
"""Holder, payer, accounts of hard and of soft budgets, minute."""


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
    damaged: list[str] = []
    for request in events:
        for attempt in request.attempts:
            if not attempt.ledger:
                continue
            try:
                posting = _checked(read_posting(attempt.attempt_id, attempt.ledger))
            except ValueError as error:
                damaged.append(f"{attempt.attempt_id}: {error}")
                continue
            at_us = min(max(attempt.started_at_us + attempt.duration_us, 0), _AMOUNT_MAX)
            found.setdefault(posting.attempt_id, (posting, at_us))
    if damaged:
        log.error("%d attempts were not charged to any budget, such as %s", len(damaged), damaged[0])
    return list(found.values())


def _checked(posting: Posting) -> Posting:
    """Raises ValueError for what no hold can say."""
    amounts = (posting.charged_nano_usd, posting.held_nano_usd, posting.cost_nano_usd)
    if min(amounts) < 0 or max(amounts) > _AMOUNT_MAX:
        raise ValueError(f"amounts out of range: {amounts}")
    accounts = posting.accounts
    if len(set(accounts)) < len(accounts):
        raise ValueError("an account is named twice")
    return posting


def _post(page: LedgerPage, postings: Sequence[Late]) -> None:
    """Most are settled and new: their entries are noted one by one, their charges summed up before the
    rules see them. The others go through the rules one by one."""
    sums: dict[_Alike, tuple[int, int, int]] = {}
    for posting, at_us in postings:
        if posting.outcome is HoldOutcome.UNRESOLVED or posting.attempt_id in page.recalled:
            page.post(posting, at_us, marked=False)
            continue
        page.note_settled(posting, at_us)
        # By the minute, because every part of a sliding window is made of whole ones.
        minute = at_us // UNOPENED_SLOT_US
        alike = (posting.holder, posting.payer, posting.leased, posting.soft, minute)
        charged, cost, latest_us = sums.get(alike, (0, 0, 0))
        sums[alike] = (
            charged + posting.charged_nano_usd,
            cost + posting.cost_nano_usd,
            max(latest_us, at_us),
        )
    _post_sums(page, sums)


def _post_sums(page: LedgerPage, sums: Mapping[_Alike, tuple[int, int, int]]) -> None:
    by_account: dict[tuple[str, str, str, bool, int], tuple[int, int]] = {}
    whole = {
        account_id
        for account_id, books in page.ledger.books.items()
        if books.account is not None and not books.account.rolling_us
    }
    for (holder, payer, leased, soft, minute), (charged, cost, latest_us) in sums.items():
        for accounts, hard, amount in ((leased, True, charged), (soft, False, cost)):
            for account_id in accounts:
                key = (account_id, holder, payer, hard, 0 if account_id in whole else minute)
                known, known_us = by_account.get(key, (0, 0))
                by_account[key] = (known + amount, max(known_us, latest_us))
    # Oldest first, as the rules would have met them.
    for key, (amount, latest_us) in sorted(by_account.items(), key=lambda item: item[1][1]):
        account_id, holder, payer, hard, _ = key
        page.post_sum(account_id, holder, payer, amount, latest_us, leased=hard)
