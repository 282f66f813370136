"""Stops, in the database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.outbox import tell
from adapters.sql.stop_tables import stop_generation, stops
from application.events.changes import agent_released, agent_stopped
from application.ports.stops import StopStore
from domain.errors import Conflict
from domain.guards.stop import SUBJECT_FIELDS, Stop, StopCause, StopSubject

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_C = stops.c


class SqlStopStore(StopStore):
    """Every change counts the generation up first, in its own transaction: that row's lock makes changes
    wait for one another, whatever the database. Stops that are made or lifted are told of in the outbox, in
    that transaction too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, stop: Stop, *, stops_max: int) -> bool:
        def work(connection: Connection) -> bool:
            _count_up(connection)
            if stop.cause is not StopCause.OPERATOR and connection.execute(_alike(stop)).first() is not None:
                return False
            kept = connection.execute(
                select(func.count()).select_from(stops).where(_C.tenant_id == stop.tenant_id)
            ).scalar_one()
            if kept >= stops_max:
                _make_room(connection, stop, stops_max)
            connection.execute(insert(stops).values(**_row(stop)))
            tell(connection, agent_stopped(stop))
            return True

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            raise Conflict(f"stop {stop.stop_id} exists") from error

    async def lift(self, tenant_id: str, stop_id: str, at: datetime, by: str) -> bool:
        def work(connection: Connection) -> bool:
            _count_up(connection)
            changed = connection.execute(
                update(stops)
                .where(_C.stop_id == stop_id, _C.tenant_id == tenant_id, _C.lifted_at_us.is_(None))
                .values(lifted_at_us=_us(at), lifted_by=by)
            ).rowcount
            if changed:
                tell(connection, agent_released(tenant_id, stop_id, at, by))
            return changed > 0

        return await self._database.write(work)

    async def all(self) -> list[Stop]:
        def work(connection: Connection) -> list[Stop]:
            rows = connection.execute(select(stops).order_by(_C.created_at_us, _C.stop_id))
            return [_stop(row) for row in rows]

        return await self._database.read(work)

    async def forget_ended_before(self, before: datetime) -> int:
        us = _us(before)
        ended = or_(_C.lifted_at_us < us, and_(_C.lifted_at_us.is_(None), _C.expires_at_us < us))

        def work(connection: Connection) -> int:
            gone = connection.execute(delete(stops).where(ended)).rowcount
            if gone:
                _count_up(connection)
            return gone

        return await self._database.write(work)

    async def generation(self) -> int:
        def work(connection: Connection) -> int:
            return int(connection.execute(select(stop_generation.c.generation)).scalar_one())

        return await self._database.read(work)


def _make_room(connection: Connection, stop: Stop, stops_max: int) -> None:
    ended_at = func.coalesce(_C.lifted_at_us, _C.expires_at_us)
    oldest = connection.execute(
        select(_C.stop_id)
        .where(
            _C.tenant_id == stop.tenant_id,
            or_(_C.lifted_at_us.is_not(None), _C.expires_at_us <= _us(stop.created_at)),
        )
        .order_by(ended_at, _C.stop_id)
        .limit(1)
    ).scalar()
    if oldest is None:
        raise Conflict(f"{stops_max} stops are in force in this tenant; no more are kept")
    connection.execute(delete(stops).where(_C.stop_id == oldest))


def _alike(stop: Stop) -> Any:
    """A stop of the same tenant, subject and cause that is in force when this one begins."""
    return select(_C.stop_id).where(
        _C.tenant_id == stop.tenant_id,
        _C.cause == stop.cause.value,
        *(_C[name] == getattr(stop.subject, name) for name in SUBJECT_FIELDS),
        _C.lifted_at_us.is_(None),
        or_(_C.expires_at_us.is_(None), _C.expires_at_us > _us(stop.created_at)),
    )


def _count_up(connection: Connection) -> None:
    connection.execute(update(stop_generation).values(generation=stop_generation.c.generation + 1))


def _row(stop: Stop) -> dict[str, Any]:
    return {
        "stop_id": stop.stop_id,
        "tenant_id": stop.tenant_id,
        **{name: getattr(stop.subject, name) for name in SUBJECT_FIELDS},
        "cause": stop.cause.value,
        "reason": stop.reason,
        "made_by": stop.by,
        "created_at_us": _us(stop.created_at),
        "expires_at_us": None if stop.expires_at is None else _us(stop.expires_at),
        "ends_running": stop.ends_running,
        "lifted_at_us": None if stop.lifted_at is None else _us(stop.lifted_at),
        "lifted_by": stop.lifted_by,
        "evidence": stop.evidence,
    }


def _stop(row: Row[Any]) -> Stop:
    return Stop(
        stop_id=row.stop_id,
        tenant_id=row.tenant_id,
        subject=StopSubject(**{name: getattr(row, name) for name in SUBJECT_FIELDS}),
        cause=StopCause(row.cause),
        reason=row.reason,
        by=row.made_by,
        created_at=_at(row.created_at_us),
        expires_at=None if row.expires_at_us is None else _at(row.expires_at_us),
        ends_running=row.ends_running,
        lifted_at=None if row.lifted_at_us is None else _at(row.lifted_at_us),
        lifted_by=row.lifted_by,
        evidence=row.evidence,
    )


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _at(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
