"""API keys in the database."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.schema import api_keys, key_generation
from application.ports.keys import KeyStore
from domain.errors import Conflict
from domain.tenancy.key import KeyRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SqlKeyStore(KeyStore):
    """Every change counts the generation up in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: KeyRecord) -> None:
        def work(connection: Connection) -> None:
            connection.execute(insert(api_keys).values(**_row(record)))
            _count_up(connection)

        try:
            await self._database.write(work)
        except IntegrityError as error:
            raise Conflict(f"key {record.key_id} exists") from error

    async def all(self) -> list[KeyRecord]:
        def work(connection: Connection) -> list[KeyRecord]:
            return [_record(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.key_id))]

        return await self._database.read(work)

    async def revoke(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        def work(connection: Connection) -> bool:
            changed = connection.execute(
                update(api_keys)
                .where(
                    api_keys.c.key_id == key_id,
                    api_keys.c.tenant_id == tenant_id,
                    api_keys.c.revoked_at_us.is_(None),
                )
                .values(revoked_at_us=_us(at))
            ).rowcount
            if changed:
                _count_up(connection)
            return changed > 0

        return await self._database.write(work)

    async def generation(self) -> int:
        def work(connection: Connection) -> int:
            return int(connection.execute(select(key_generation.c.generation)).scalar_one())

        return await self._database.read(work)


def _count_up(connection: Connection) -> None:
    connection.execute(update(key_generation).values(generation=key_generation.c.generation + 1))


def _row(record: KeyRecord) -> dict[str, Any]:
    return {
        "key_id": record.key_id,
        "tenant_id": record.tenant_id,
        "name": record.name,
        "role": record.role,
        "hash": record.hash,
        "pepper_version": record.pepper_version,
        "permissions": _names(record.permissions),
        "allowed_models": _names(record.allowed_models),
        "created_at_us": _us(record.created_at),
        "expires_at_us": None if record.expires_at is None else _us(record.expires_at),
        "revoked_at_us": None if record.revoked_at is None else _us(record.revoked_at),
        "env": record.env,
        "scheme": record.scheme,
        "note": record.note,
        "team": record.team,
        "project": record.project,
        "cost_center": record.cost_center,
    }


def _record(row: Row[Any]) -> KeyRecord:
    return KeyRecord(
        key_id=row.key_id,
        tenant_id=row.tenant_id,
        name=row.name,
        role=row.role,
        hash=row.hash,
        pepper_version=row.pepper_version,
        permissions=None if row.permissions is None else frozenset(json.loads(row.permissions)),
        allowed_models=None if row.allowed_models is None else frozenset(json.loads(row.allowed_models)),
        created_at=_at(row.created_at_us),
        expires_at=None if row.expires_at_us is None else _at(row.expires_at_us),
        revoked_at=None if row.revoked_at_us is None else _at(row.revoked_at_us),
        env=row.env,
        scheme=row.scheme,
        note=row.note,
        team=row.team,
        project=row.project,
        cost_center=row.cost_center,
    )


def _names(names: frozenset[str] | None) -> str | None:
    return None if names is None else json.dumps(sorted(names))


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _at(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
