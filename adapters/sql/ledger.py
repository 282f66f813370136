"""The ledger in the database: one transaction per transition, an account's row locked before anything of it.

Rows are locked in one order: holders, then accounts by id, then what hangs on them. Whoever writes usage rows
takes its place in that order (`ledger_postings`). PostgreSQL locks the rows, SQLite the file.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, and_, not_, or_, select, update

from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from adapters.sql.ledger_page import LedgerPage
from adapters.sql.ledger_reading import read_accounts, read_unresolved
from adapters.sql.ledger_statements import ACCOUNTS_OF_HOLDER, SEEN, UNRESOLVED_OF_ATTEMPT, inserts
from adapters.sql.ledger_tables import budget_entries, budget_holders, budget_leases, budget_marks
from adapters.sql.ledger_upkeep import ROWS_PER_CALL, forget_old, forget_unused, unused_accounts
from adapters.sql.usage_inserts import rows_into
from application.budget_alerts import AlertListener, log_alerts
from application.ports.ledger import (
    AccountFilter,
    AccountRow,
    Exchange,
    HolderFenced,
    LeaseAnswer,
    LeaseLine,
    LedgerBooks,
    LedgerStore,
    UnresolvedEntry,
)
from domain.budgets.alerts import Alert
from domain.budgets.ledger import HolderState, Want, lost_id
from domain.budgets.posting import LINES_PATIENCE_US, LINES_SUFFIX, HoldOutcome, Posting
from domain.errors import StoreUnavailable

Result = TypeVar("Result")
TIMEOUT_S: Final = 5.0
POSTINGS_PER_TRANSACTION: Final = 500
ATTEMPTS_PER_LOOK: Final = 200
FORGET_EVERY_US: Final = 600_000_000


class SqlLedger(LedgerStore, LedgerBooks):
    """On PostgreSQL and SQLite. `on_alerts` is told of alerts after they were committed."""

    def __init__(
        self, database: Database, *, on_alerts: AlertListener = log_alerts, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._database = database
        self._on_alerts = on_alerts
        self._timeout_s = timeout_s
        self._entries = rows_into(budget_entries, database.dialect)
        self._inserts = inserts(database.dialect)
        self._forget_at_us = 0

    async def open(self, holder: str, now_us: int) -> str:
        row = {"holder": holder, "state": HolderState.OPEN.value, "seen_us": now_us}
        await self.write(lambda connection: connection.execute(self._inserts.holders, row).close())
        return holder

    async def exchange(self, holder: str, lines: Sequence[LeaseLine], now_us: int) -> Exchange:
        def work(connection: Connection) -> tuple[Exchange | None, list[Alert]]:
            seen = {"b_holder": holder, "b_state": HolderState.OPEN.value, "b_seen_us": now_us}
            if not connection.execute(SEEN, seen).rowcount:
                return None, []
            if not lines:
                return Exchange(()), []
            page = LedgerPage(connection, now_us)
            declared = {line.account.account_id: line.account for line in lines}
            page.load(declared, [holder], declared)
            page.ledger.open(holder, now_us)
            wants = [Want(line.account, line.returned_total, line.need, line.want) for line in lines]
            granted, refused = page.ledger.exchange(holder, wants, now_us)
            answers = tuple(LeaseAnswer(*each) for each in granted)
            return Exchange(answers, refused), page.save(self._entries)

        answer, alerts = await self.write(work)
        if answer is None:
            raise HolderFenced(holder)
        self.tell(alerts)
        return answer

    async def close(self, holder: str, now_us: int) -> None:
        self.tell(await self.write(partial(self.close_in, holder=holder, now_us=now_us)))

    def close_in(self, connection: Connection, holder: str, now_us: int) -> list[Alert]:
        """Closes a holder within a transaction; what to `tell` once that is committed."""
        mine = budget_holders.c.holder == holder
        connection.execute(update(budget_holders).where(mine).values(state=HolderState.CLOSED.value))
        lost = lost_id(holder)
        accounts = {
            *connection.execute(ACCOUNTS_OF_HOLDER, {"holder": holder}).scalars(),
            *connection.execute(UNRESOLVED_OF_ATTEMPT, {"attempt_id": lost}).scalars(),
        }
        if not accounts:
            return []
        page = LedgerPage(connection, now_us)
        page.load(accounts, [holder])
        page.know([lost], everywhere=False)
        page.ledger.open(holder, now_us)
        before = page.outcomes(lost)
        page.ledger.close(holder, now_us)
        page.note_bills(lost, before, now_us)
        return page.save(self._entries)

    async def post(self, postings: Sequence[Posting], now_us: int) -> None:
        for start in range(0, len(postings), POSTINGS_PER_TRANSACTION):
            some = postings[start : start + POSTINGS_PER_TRANSACTION]
            self.tell(await self.write(partial(self._post, postings=some, now_us=now_us)))

    def _post(self, connection: Connection, postings: Sequence[Posting], now_us: int) -> list[Alert]:
        page = LedgerPage(connection, now_us)
        page.load(
            (account_id for posting in postings for account_id in posting.accounts),
            {name for posting in postings for name in (posting.holder, posting.payer)},
        )
        page.know((posting.attempt_id for posting in postings), everywhere=True)
        for posting in postings:
            page.post(posting, now_us, marked=True)
        return page.save(self._entries)

    async def give_up_lost(self, silent_since_us: int, book_before_us: int, now_us: int) -> int:
        columns = budget_holders.c
        silent = and_(columns.state == HolderState.OPEN.value, columns.seen_us < silent_since_us)
        overdue = and_(columns.state == HolderState.FENCED.value, columns.seen_us < book_before_us)
        found = await self.read(
            lambda connection: (
                connection.execute(
                    select(columns.holder).where(or_(silent, overdue)).order_by(columns.holder)
                )
                .scalars()
                .all()
            )
        )

        def work(connection: Connection, holder: str) -> tuple[int, list[Alert]]:
            mine = columns.holder == holder
            row = connection.execute(select(budget_holders).where(mine).with_for_update()).first()
            if row is None or row.state == HolderState.CLOSED.value:
                return 0, []
            page = LedgerPage(connection, now_us)
            page.load(connection.execute(ACCOUNTS_OF_HOLDER, {"holder": holder}).scalars().all(), [holder])
            page.ledger.holders[holder] = HolderState(row.state)
            page.ledger.seen_us[holder] = row.seen_us
            booked = page.give_up_lost(holder, silent_since_us, book_before_us)
            state = page.ledger.holders[holder].value
            connection.execute(update(budget_holders).where(mine).values(state=state))
            return booked, page.save(self._entries)

        total = 0
        for holder in found:
            booked, alerts = await self.write(partial(work, holder=holder))
            self.tell(alerts)
            total += booked
        return total

    async def settled_by(self, holder: str) -> dict[str, int]:
        """What attempts that this holder held were charged, by account; nano-dollars. Raises
        StoreUnavailable."""
        columns = budget_leases.c
        statement = select(columns.account_id, columns.charged_nano_usd).where(
            columns.holder == holder, columns.charged_nano_usd != 0
        )
        return await self.read(
            lambda connection: {row.account_id: row.charged_nano_usd for row in connection.execute(statement)}
        )

    # For people

    async def accounts(self, where: AccountFilter, *, limit: int = 1000) -> list[AccountRow]:
        return await self.read(lambda connection: read_accounts(connection, where, limit))

    async def unresolved(self, tenant_id: str | None, *, limit: int = 1000) -> list[UnresolvedEntry]:
        return await self.read(lambda connection: read_unresolved(connection, tenant_id, limit))

    async def resolve(self, attempt_id: str, charged_nano_usd: int | None, now_us: int) -> int:
        resolved, alerts = await self.write(
            lambda connection: self._resolve(connection, [attempt_id], charged_nano_usd, now_us)
        )
        self.tell(alerts)
        return resolved

    async def resolve_older(self, before_us: int, now_us: int) -> int:
        marks = budget_marks.c
        # As `is_overdue`.
        patient = and_(
            marks.attempt_id.like(f"%{LINES_SUFFIX}"), marks.at_us >= before_us - LINES_PATIENCE_US
        )
        statement = (
            select(marks.attempt_id)
            .where(marks.outcome == HoldOutcome.UNRESOLVED.value, marks.at_us < before_us, not_(patient))
            .order_by(marks.at_us)
            .limit(ATTEMPTS_PER_LOOK)
        )

        def work(connection: Connection) -> tuple[int, list[Alert]]:
            old = sorted(set(connection.execute(statement).scalars()))
            return self._resolve(connection, old, None, now_us) if old else (0, [])

        total = 0
        while True:
            resolved, alerts = await self.write(work)
            self.tell(alerts)
            total += resolved
            if not resolved:
                break
        if now_us >= self._forget_at_us and not await self._forget(now_us):
            self._forget_at_us = now_us + FORGET_EVERY_US
        return total

    async def _forget(self, now_us: int) -> bool:
        """Whether there may be more to forget."""
        gone = await self.write(lambda connection: forget_old(connection, now_us))
        unused = await self.read(lambda connection: unused_accounts(connection, now_us))
        if unused:
            await self.write(lambda connection: forget_unused(connection, unused, now_us))
        return max(gone, len(unused)) >= ROWS_PER_CALL

    def _resolve(
        self, connection: Connection, attempt_ids: Sequence[str], charged: int | None, now_us: int
    ) -> tuple[int, list[Alert]]:
        accounts = {
            account_id
            for attempt_id in attempt_ids
            for account_id in connection.execute(UNRESOLVED_OF_ATTEMPT, {"attempt_id": attempt_id}).scalars()
        }
        if not accounts:
            return 0, []
        page = LedgerPage(connection, now_us)
        page.load(accounts)
        # Read again under the locks: somebody else may have resolved it while we waited for them.
        page.know(attempt_ids, everywhere=False)
        resolved = sum(page.resolve(attempt_id, charged, now_us) for attempt_id in attempt_ids)
        return resolved, page.save(self._entries)

    # Bounds

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, committed, within the ledger's bound. Raises StoreUnavailable."""
        return await self._bounded(self._database.write(work, alone=False))

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, within the ledger's bound. Raises StoreUnavailable."""
        return await self._bounded(self._database.read(work))

    async def _bounded(self, call: Coroutine[Any, Any, Result]) -> Result:
        # Work that has begun goes on: what it did is in the totals that the next exchange tells.
        try:
            async with asyncio.timeout(self._timeout_s):
                return await call
        except TimeoutError:
            raise StoreUnavailable(
                f"the ledger did not answer within {self._timeout_s:g} s", retry_after_s=1.0
            ) from None
        except REFUSED_VALUES as error:
            raise unavailable(error) from error

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Passes on what was committed."""
        if alerts:
            self._on_alerts(alerts)
