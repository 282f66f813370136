"""Erasures in the database."""

import json
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from adapters.sql.database import Database
from adapters.sql.erasure_tables import erasures
from application.ports.subjects import ErasureLog
from domain.privacy.erasure import Erasure, ErasureState

UNFINISHED_MAX: Final = 1000
_ROWS = erasures.c
_OPEN = _ROWS.state != ErasureState.DONE.value


class SqlErasureLog(ErasureLog):
    """One row each; nothing of it is ever removed, and a finished one names nobody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, erasure: Erasure) -> Erasure:
        def work(connection: Connection) -> Erasure:
            running = connection.execute(
                select(erasures).where(
                    _ROWS.tenant_id == erasure.tenant_id,
                    _ROWS.user_id == erasure.user_id,
                    _ROWS.state == ErasureState.RUNNING.value,
                )
            ).first()
            if running is not None:
                return _erasure(running)
            connection.execute(erasures.insert().values(**_values(erasure), claimed_until_us=0))
            return erasure

        return await self._database.write(work)

    async def get(self, tenant_id: str, erasure_id: str) -> Erasure | None:
        statement = select(erasures).where(_ROWS.tenant_id == tenant_id, _ROWS.erasure_id == erasure_id)

        def work(connection: Connection) -> Erasure | None:
            row = connection.execute(statement).one_or_none()
            return None if row is None else _erasure(row)

        return await self._database.read(work)

    async def newest(self, tenant_id: str, limit: int) -> list[Erasure]:
        statement = (
            select(erasures)
            .where(_ROWS.tenant_id == tenant_id)
            .order_by(_ROWS.started_at_us.desc(), _ROWS.erasure_id.desc())
            .limit(limit)
        )
        return await self._database.read(
            lambda connection: [_erasure(row) for row in connection.execute(statement)]
        )

    async def unfinished(self) -> list[str]:
        statement = select(_ROWS.erasure_id).where(_OPEN).order_by(_ROWS.started_at_us).limit(UNFINISHED_MAX)
        return await self._database.read(lambda connection: list(connection.execute(statement).scalars()))

    async def claim(self, now_us: int, until_us: int) -> Erasure | None:
        free = select(erasures).where(_OPEN, _ROWS.claimed_until_us <= now_us).order_by(_ROWS.started_at_us)

        def work(connection: Connection) -> Erasure | None:
            row = connection.execute(free.limit(1).with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            connection.execute(
                update(erasures).where(_ROWS.erasure_id == row.erasure_id).values(claimed_until_us=until_us)
            )
            return _erasure(row)

        return await self._database.write(work)

    async def save(self, erasure: Erasure, *, until_us: int) -> None:
        statement = (
            update(erasures)
            .where(_ROWS.erasure_id == erasure.erasure_id)
            .values(**_values(erasure), claimed_until_us=until_us)
        )
        await self._database.write(lambda connection: connection.execute(statement).rowcount)


def _values(erasure: Erasure) -> dict[str, Any]:
    return {
        "erasure_id": erasure.erasure_id,
        "tenant_id": erasure.tenant_id,
        "user_id": erasure.user_id,
        "pseudonym": erasure.pseudonym,
        "state": erasure.state.value,
        "step": erasure.step,
        "counts": json.dumps(dict(erasure.counts), sort_keys=True),
        "asked_by": erasure.asked_by,
        "started_at_us": erasure.started_at_us,
        "updated_at_us": erasure.updated_at_us,
        "finished_at_us": erasure.finished_at_us,
    }


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(
        erasure_id=row.erasure_id,
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        pseudonym=row.pseudonym,
        state=ErasureState(row.state),
        asked_by=row.asked_by,
        started_at_us=row.started_at_us,
        updated_at_us=row.updated_at_us,
        step=row.step,
        counts=json.loads(row.counts),
        finished_at_us=row.finished_at_us,
    )
