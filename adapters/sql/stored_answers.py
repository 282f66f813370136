"""Stored answers in the database."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, update

from adapters.sql.answer_tables import stored_answers
from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from adapters.sql.upserts import insert_into
from application.ports.stored_answers import OpenBill, StoredAnswer, StoredAnswers

_ROWS = stored_answers.c
IDS_PER_STATEMENT = 500
"""Below the number of values SQLite takes with one statement."""
PURGED_PER_ROUND_MAX = 10_000
"""Rows one purge deletes, so that no writer waits long for it."""


class SqlStoredAnswers(StoredAnswers):
    """One row per entry, found by tenant and id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, answers: Sequence[StoredAnswer]) -> None:
        if not answers:
            return
        rows = [_row(answer) for answer in answers]
        statement = insert_into(self._database.dialect, stored_answers)
        statement = statement.on_conflict_do_update(
            index_elements=["tenant_id", "id"],
            set_={
                column.name: statement.excluded[column.name]
                for column in stored_answers.columns
                if not column.primary_key
            },
        )

        def work(connection: Connection) -> None:
            connection.execute(statement, rows)

        try:
            await self._database.write(work)
        except REFUSED_VALUES as error:
            raise unavailable(error) from error

    async def get(self, tenant_id: str, ids: Collection[str], *, now_us: int) -> Mapping[str, StoredAnswer]:
        wanted = list(dict.fromkeys(ids))

        def work(connection: Connection) -> dict[str, StoredAnswer]:
            found: dict[str, StoredAnswer] = {}
            for start in range(0, len(wanted), IDS_PER_STATEMENT):
                statement = select(stored_answers).where(
                    _ROWS.tenant_id == tenant_id,
                    _ROWS.id.in_(wanted[start : start + IDS_PER_STATEMENT]),
                    _ROWS.expires_at_us > now_us,
                )
                found.update((row.id, _answer(row)) for row in connection.execute(statement))
            return found

        return await self._database.read(work)

    async def delete(self, tenant_id: str, answer_id: str) -> bool:
        statement = delete(stored_answers).where(_ROWS.tenant_id == tenant_id, _ROWS.id == answer_id)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount > 0)

    async def settle(self, tenant_id: str, answer_id: str) -> bool:
        statement = (
            update(stored_answers)
            .where(_ROWS.tenant_id == tenant_id, _ROWS.id == answer_id, _ROWS.open_bill.is_not(None))
            .values(open_bill=None)
        )
        return await self._database.write(lambda connection: connection.execute(statement).rowcount > 0)

    async def unsettled(self, *, before_us: int, limit: int) -> Sequence[StoredAnswer]:
        statement = (
            select(stored_answers)
            .where(_ROWS.open_bill.is_not(None), _ROWS.created_at_us < before_us)
            .order_by(_ROWS.created_at_us)
            .limit(limit)
        )
        return await self._database.read(
            lambda connection: [_answer(row) for row in connection.execute(statement)]
        )

    async def purge(self, *, now_us: int, per_tenant_max: int) -> int:
        def work(connection: Connection) -> int:
            expired = select(_ROWS.tenant_id, _ROWS.id).where(
                _ROWS.expires_at_us <= now_us, _ROWS.open_bill.is_(None)
            )
            keys = _keys(connection, expired.limit(PURGED_PER_ROUND_MAX))
            _delete(connection, keys)
            count = func.count()
            crowded = (
                select(_ROWS.tenant_id, count)
                .where(_ROWS.open_bill.is_(None))
                .group_by(_ROWS.tenant_id)
                .having(count > per_tenant_max)
            )
            gone = len(keys)
            for tenant_id, entries in connection.execute(crowded).all():
                oldest = (
                    select(_ROWS.tenant_id, _ROWS.id)
                    .where(_ROWS.tenant_id == tenant_id, _ROWS.open_bill.is_(None))
                    .order_by(_ROWS.created_at_us)
                    .limit(min(entries - per_tenant_max, PURGED_PER_ROUND_MAX))
                )
                keys = _keys(connection, oldest)
                _delete(connection, keys)
                gone += len(keys)
            return gone

        return await self._database.write(work)


def _keys(connection: Connection, statement: Select[Any]) -> list[tuple[str, str]]:
    return [(row.tenant_id, row.id) for row in connection.execute(statement)]


def _delete(connection: Connection, keys: Sequence[tuple[str, str]]) -> None:
    for tenant_id, answer_id in keys:
        connection.execute(delete(stored_answers).where(_ROWS.tenant_id == tenant_id, _ROWS.id == answer_id))


def _row(answer: StoredAnswer) -> dict[str, Any]:
    bill = answer.open_bill
    return {**answer._asdict(), "open_bill": None if bill is None else json.dumps(bill._asdict())}


def _answer(row: Row[Any]) -> StoredAnswer:
    bill = None if row.open_bill is None else OpenBill(**json.loads(row.open_bill))
    return StoredAnswer(**{**row._asdict(), "open_bill": bill})
