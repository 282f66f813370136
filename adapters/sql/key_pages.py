"""Pages of API keys, and how they are hashed, from the database."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, tuple_

from adapters.sql.database import Database
from adapters.sql.keys import record_of, us, with_uses
from adapters.sql.schema import api_keys
from application.ports.keys import KeyPages, KeyQuery
from domain.tenancy.key import KeyRecord

_C = api_keys.c


class SqlKeyPages(KeyPages):
    """Letters beyond ASCII are found in the case they were written in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, query: KeyQuery) -> list[KeyRecord]:
        wanted = with_uses().where(*_conditions(query)).order_by(_C.created_at_us, _C.key_id)

        def work(connection: Connection) -> list[KeyRecord]:
            rows = connection.execute(wanted.limit(query.limit))
            return [record_of(row, used_at_us=row.used_at_us) for row in rows]

        return await self._database.read(work)

    async def per_pepper(self, now: datetime) -> Mapping[int, int]:
        live = and_(_C.revoked_at_us.is_(None), _unexpired(now))
        current = select(_C.pepper_version, func.count()).where(live).group_by(_C.pepper_version)
        old = (
            select(_C.old_pepper_version, func.count())
            .where(live, _C.old_until_us > us(now))
            .group_by(_C.old_pepper_version)
        )

        def work(connection: Connection) -> Mapping[int, int]:
            counts: Counter[int] = Counter()
            for statement in (current, old):
                for version, number in connection.execute(statement):
                    counts[version] += number
            return counts

        return await self._database.read(work)


def _conditions(query: KeyQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.tenant_id is not None:
        found.append(_C.tenant_id == query.tenant_id)
    if query.role is not None:
        found.append(_C.role == query.role)
    if query.name is not None:
        found.append(func.lower(_C.name).contains(query.name.lower(), autoescape=True))
    if query.state == "revoked":
        found.append(_C.revoked_at_us.is_not(None))
    elif query.state is not None:
        unexpired = _unexpired(query.now)
        found += [_C.revoked_at_us.is_(None), unexpired if query.state == "live" else ~unexpired]
    if query.after is not None:
        created_at, key_id = query.after
        found.append(tuple_(_C.created_at_us, _C.key_id) > tuple_(us(created_at), key_id))
    return found


def _unexpired(now: datetime) -> ColumnElement[bool]:
    return or_(_C.expires_at_us.is_(None), _C.expires_at_us > us(now))
