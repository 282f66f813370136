"""Logins, in the database."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, or_, select, update

from adapters.sql.database import Database
from adapters.sql.session_tables import login_sessions
from adapters.sql.tenants import at_us, us
from application.ports.sessions import SessionStore
from domain.tenancy.identity import Identity
from domain.tenancy.session import Session

_C = login_sessions.c


class SqlSessionStore(SessionStore):
    """For a database that reaches every tenant: who comes is not known before its session is found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, session: Session, *, sessions_max: int, per_subject_max: int) -> None:
        who = session.identity

        def work(connection: Connection) -> None:
            _make_room(connection, (_C.issuer == who.issuer) & (_C.subject == who.subject), per_subject_max)
            _make_room(connection, None, sessions_max)
            connection.execute(insert(login_sessions).values(**_row(session)))

        await self._database.write(work)

    async def find(self, digest: str) -> Session | None:
        def work(connection: Connection) -> Session | None:
            row = connection.execute(select(login_sessions).where(_C.digest == digest)).first()
            return None if row is None else _session(row)

        return await self._database.read(work)

    async def seen(self, digest: str, at: datetime) -> None:
        def work(connection: Connection) -> None:
            changed = update(login_sessions).where(_C.digest == digest).values(seen_at_us=us(at))
            connection.execute(changed)

        await self._database.write(work)

    async def end(self, digest: str) -> bool:
        def work(connection: Connection) -> bool:
            gone = connection.execute(delete(login_sessions).where(_C.digest == digest))
            return gone.rowcount > 0

        return await self._database.write(work)

    async def forget(self, *, ended_by: datetime, seen_before: datetime) -> int:
        over = or_(_C.ends_at_us <= us(ended_by), _C.seen_at_us < us(seen_before))

        def work(connection: Connection) -> int:
            return connection.execute(delete(login_sessions).where(over)).rowcount

        return await self._database.write(work)


def _make_room(connection: Connection, alike: ColumnElement[bool] | None, kept_max: int) -> None:
    """So that one more fits among those that are alike; None: among all."""
    counted = select(func.count()).select_from(login_sessions)
    oldest = select(_C.digest).order_by(_C.seen_at_us, _C.digest)
    if alike is not None:
        counted, oldest = counted.where(alike), oldest.where(alike)
    excess = connection.execute(counted).scalar_one() - kept_max + 1
    if excess > 0:
        gone = list(connection.execute(oldest.limit(excess)).scalars())
        connection.execute(delete(login_sessions).where(_C.digest.in_(gone)))


def _row(session: Session) -> dict[str, Any]:
    who = session.identity
    said = {**who._asdict(), "scopes": None if who.scopes is None else sorted(who.scopes)}
    return {
        "digest": session.digest,
        "tenant_id": who.tenant_id,
        "issuer": who.issuer,
        "subject": who.subject,
        "identity": json.dumps(said),
        "policy": session.policy,
        "created_at_us": us(session.created_at),
        "seen_at_us": us(session.seen_at),
        "ends_at_us": us(session.ends_at),
    }


def _session(row: Row[Any]) -> Session:
    said = json.loads(row.identity)
    scopes = said.pop("scopes")
    created, seen, ends = at_us(row.created_at_us), at_us(row.seen_at_us), at_us(row.ends_at_us)
    assert created is not None and seen is not None and ends is not None, "the columns are not nullable"
    return Session(
        digest=row.digest,
        identity=Identity(scopes=None if scopes is None else frozenset(scopes), **said),
        policy=row.policy,
        created_at=created,
        seen_at=seen,
        ends_at=ends,
    )
