"""Pools of leases in the database, beside the ledger they are holders of."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from adapters.sql.database import Database
from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_page import LedgerPage
from adapters.sql.ledger_statements import ACCOUNTS_OF_HOLDER, inserts
from adapters.sql.ledger_tables import budget_entries, budget_holders, budget_leases
from adapters.sql.pool_tables import lease_pool_members, lease_pools
from adapters.sql.upserts import insert_into
from adapters.sql.usage_inserts import rows_into
from application.ports.ledger_pools import LedgerPools
from domain.budgets.alerts import Alert
from domain.budgets.ledger import HolderState, LeaseTotals, lost_id
from domain.budgets.pool import Membership, PoolMember, book_rest, lost_posting, standing

KEPT_US: Final = 7 * 86_400_000_000
"""How long a member that left is remembered, for whoever closes it once more."""
_pools, _members, _holders = lease_pools.c, lease_pool_members.c, budget_holders.c


class SqlLedgerPools(LedgerPools):
    """On the database of its ledger, which bounds every call."""

    def __init__(self, database: Database, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self._dialect = database.dialect
        self._entries = rows_into(budget_entries, database.dialect)
        self._inserts = inserts(database.dialect)

    async def join(self, holder: str, new_pool: str, now_us: int) -> str:
        def work(connection: Connection) -> str:
            connection.execute(delete(lease_pool_members).where(_members.left_at_us < now_us - KEPT_US))
            pool = _pool_of(connection, holder) or self._open_pool(connection, new_pool, now_us)
            member = {"holder": holder, "pool": pool, "left_at_us": None}
            connection.execute(
                insert_into(self._dialect, lease_pool_members).on_conflict_do_nothing(), member
            )
            # Another call for this holder may have come in between.
            found = _pool_of(connection, holder) or pool
            self._know(connection, holder, now_us)
            return found

        return await self._ledger.write(work)

    def _open_pool(self, connection: Connection, new_pool: str, now_us: int) -> str:
        found = connection.execute(
            select(_pools.pool)
            .join(budget_holders, _holders.holder == _pools.pool)
            .where(_pools.retired.is_(False), _holders.state == HolderState.OPEN.value)
            .order_by(_pools.made_at_us, _pools.pool)
            .limit(1)
            .with_for_update(of=lease_pools)
        ).scalar()
        if found is not None:
            return str(found)
        in_use = select(_members.pool)
        old = (_pools.retired.is_(True), _pools.made_at_us < now_us - KEPT_US, _pools.pool.not_in(in_use))
        connection.execute(delete(lease_pools).where(*old))
        connection.execute(insert(lease_pools).values(pool=new_pool, retired=False, made_at_us=now_us))
        self._know(connection, new_pool, now_us)
        return new_pool

    def _know(self, connection: Connection, holder: str, now_us: int) -> None:
        row = {"holder": holder, "state": HolderState.OPEN.value, "seen_us": now_us}
        connection.execute(self._inserts.holders, row)

    async def beat(self, holder: str, now_us: int) -> Membership:
        def work(connection: Connection) -> Membership:
            pool = _pool_of(connection, holder)
            if pool is None:
                return Membership.ENDED
            states = {
                row.holder: HolderState(row.state)
                for row in connection.execute(
                    select(_holders.holder, _holders.state).where(_holders.holder.in_([holder, pool]))
                )
            }
            if states.get(holder) is not HolderState.OPEN or pool not in states:
                return Membership.ENDED
            retired = connection.execute(select(_pools.retired).where(_pools.pool == pool)).scalar()
            found = standing(states[pool], retired=retired is not False)
            if found is Membership.OPEN:
                for each in sorted((holder, pool)):
                    connection.execute(
                        update(budget_holders).where(_holders.holder == each).values(seen_us=now_us)
                    )
            return found

        return await self._ledger.write(work)

    async def pool_of(self, holder: str) -> str | None:
        return await self._ledger.read(lambda connection: _pool_of(connection, holder))

    async def members(self, pool: str) -> list[PoolMember]:
        def work(connection: Connection) -> list[PoolMember]:
            rows = connection.execute(
                select(budget_holders)
                .join(lease_pool_members, _members.holder == _holders.holder)
                .where(_members.pool == pool, _members.left_at_us.is_(None))
                .order_by(_holders.holder)
            )
            return [PoolMember(row.holder, HolderState(row.state), row.seen_us) for row in rows]

        return await self._ledger.read(work)

    async def in_use(self) -> list[str]:
        statement = select(_pools.pool).where(_pools.retired.is_(False)).order_by(_pools.pool)
        return await self._ledger.read(lambda connection: list(connection.execute(statement).scalars()))

    async def retire(self, pool: str) -> None:
        statement = update(lease_pools).where(_pools.pool == pool).values(retired=True)
        await self._ledger.write(lambda connection: connection.execute(statement).close())

    async def leave(self, holder: str, now_us: int) -> None:
        def work(connection: Connection) -> list[Alert]:
            pool = _pool_of(connection, holder)
            last = pool is not None and _leave(connection, holder, pool, now_us)
            alerts = self._ledger.close_in(connection, holder, now_us)
            if pool is not None and last:
                alerts += self._ledger.close_in(connection, pool, now_us)
            return alerts

        self._ledger.tell(await self._ledger.write(work))

    async def settled_by(self, holder: str) -> dict[str, int]:
        return await self._ledger.settled_by(holder)

    async def give_back(self, pool: str, returned: Mapping[str, int], now_us: int) -> dict[str, int]:
        def work(connection: Connection) -> tuple[dict[str, int], list[Alert]]:
            has = connection.execute(ACCOUNTS_OF_HOLDER, {"holder": pool}).scalars()
            wanted = sorted(returned.keys() & set(has))
            if not wanted:
                return {}, []
            page = LedgerPage(connection, now_us)
            page.load(wanted, [pool])
            found = {}
            for account_id, books in page.ledger.books.items():
                lease = books.leases[pool]
                lease.take_back(returned[account_id])
                if lease.outstanding:
                    found[account_id] = lease.granted
            return found, page.save(self._entries)

        found, alerts = await self._ledger.write(work)
        self._ledger.tell(alerts)
        return found

    async def book(self, holder: str, dealt: Mapping[str, int], now_us: int) -> dict[str, int]:
        def work(connection: Connection) -> tuple[dict[str, int], list[Alert]]:
            pool = _pool_of(connection, holder)
            if pool is None or not dealt:
                return {}, []
            connection.execute(select(_pools.pool).where(_pools.pool == pool).with_for_update())
            page = LedgerPage(connection, now_us)
            page.load(dealt, [pool, holder])
            page.know([lost_id(holder)], everywhere=False)
            charged = _charged(connection, holder)
            booked = {}
            for account_id, books in sorted(page.ledger.books.items()):
                own = books.leases.setdefault(holder, LeaseTotals())
                pools = books.leases.setdefault(pool, LeaseTotals())
                rest = book_rest(pools, own, dealt[account_id], charged.get(account_id, 0))
                if rest:
                    page.post(lost_posting(holder, account_id, rest), now_us, marked=True)
                if own.granted:
                    booked[account_id] = own.granted
            return booked, page.save(self._entries)

        booked, alerts = await self._ledger.write(work)
        self._ledger.tell(alerts)
        return booked


def _leave(connection: Connection, holder: str, pool: str, now_us: int) -> bool:
    """Whether nobody is left in the pool; then it takes no members any more."""
    connection.execute(select(_pools.pool).where(_pools.pool == pool).with_for_update())
    mine = (_members.holder == holder, _members.left_at_us.is_(None))
    connection.execute(update(lease_pool_members).where(*mine).values(left_at_us=now_us))
    here = select(_members.holder).where(_members.pool == pool, _members.left_at_us.is_(None)).limit(1)
    if connection.execute(here).first() is not None:
        return False
    connection.execute(update(lease_pools).where(_pools.pool == pool).values(retired=True))
    return True


def _pool_of(connection: Connection, holder: str) -> str | None:
    found: Any = connection.execute(select(_members.pool).where(_members.holder == holder)).scalar()
    return None if found is None else str(found)


def _charged(connection: Connection, holder: str) -> dict[str, int]:
    columns = budget_leases.c
    rows = connection.execute(
        select(columns.account_id, columns.charged_nano_usd).where(columns.holder == holder)
    )
    return {row.account_id: row.charged_nano_usd for row in rows}
