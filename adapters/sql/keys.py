"""API keys in the database."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.outbox import tell
from adapters.sql.schema import api_keys, key_generation, key_uses
from adapters.sql.upserts import insert_into
from application.events.changes import key_created, key_revoked, key_rotated
from application.ports.keys import KeyChanges, KeyStore, KeyUses, Rehash
from domain.errors import Conflict
from domain.tenancy.key import KeyRecord, OldSecret

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_C = api_keys.c
_SETS = ("allowed_models", "assertable", "integrations", "managed_budgets")
_PAID_BY = ("team", "project", "cost_center")
_MADE_BY = ("created_by", "revoked_by", "revoked_reason")
_TEXTS = ("key_id", "tenant_id", "name", "role", "env", "scheme", "note", *_PAID_BY, *_MADE_BY)
_TIMES = ("created_at", "expires_at", "revoked_at", "rotated_at")
LISTS_REMEMBERED_MAX = 4096
"""Most keys say the same few things."""
USES_AT_ONCE = 500
"""Rows of one statement; either database takes more."""


class SqlKeyStore(KeyStore, KeyUses):
    """Every change counts the generation up first, in its own transaction: that row's lock makes changes wait
    for one another, so whoever sees a generation sees every change up to it. Keys that are made, rotated or
    revoked are told of in the outbox, in that transaction too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: KeyRecord) -> None:
        def work(connection: Connection) -> None:
            revision = _count_up(connection)
            connection.execute(insert(api_keys).values(**_row(record), revision=revision))
            tell(connection, key_created(record))

        try:
            await self._database.write(work)
        except IntegrityError as error:
            raise Conflict(f"key {record.key_id} exists") from error

    async def all(self) -> list[KeyRecord]:
        def work(connection: Connection) -> list[KeyRecord]:
            return [record_of(row) for row in connection.execute(select(api_keys).order_by(_C.key_id))]

        return await self._database.read(work)

    async def get(self, key_id: str) -> KeyRecord | None:
        def work(connection: Connection) -> KeyRecord | None:
            row = connection.execute(with_uses().where(_C.key_id == key_id)).first()
            return None if row is None else record_of(row, used_at_us=row.used_at_us)

        return await self._database.read(work)

    async def change(self, record: KeyRecord) -> KeyRecord | None:
        def work(connection: Connection) -> KeyRecord | None:
            revision = _count_up(connection)
            same = and_(
                _C.key_id == record.key_id, _C.revision == record.revision, _C.revoked_at_us.is_(None)
            )
            before = connection.execute(select(_C.rotated_at_us).where(same)).first()
            if not connection.execute(
                update(api_keys).where(same).values(**_row(record), revision=revision)
            ).rowcount:
                _count_back(connection)
                return None
            rotated = key_rotated(record)
            if rotated is not None and before is not None and rotated.created_at_us != before.rotated_at_us:
                tell(connection, rotated)
            row = connection.execute(select(api_keys).where(_C.key_id == record.key_id)).one()
            return record_of(row)

        return await self._database.write(work)

    async def revoke(
        self, tenant_id: str, key_id: str, at: datetime, *, by: str = "", reason: str = ""
    ) -> bool:
        def work(connection: Connection) -> bool:
            revision = _count_up(connection)
            changed = connection.execute(
                update(api_keys)
                .where(_C.key_id == key_id, _C.tenant_id == tenant_id, _C.revoked_at_us.is_(None))
                .values(revoked_at_us=us(at), revoked_by=by, revoked_reason=reason, revision=revision)
            ).rowcount
            if changed:
                tell(connection, key_revoked(tenant_id, key_id, at, by, reason))
            else:
                _count_back(connection)
            return changed > 0

        return await self._database.write(work)

    async def generation(self) -> int:
        return await self._database.read(_generation)

    async def changes(self, since: int) -> KeyChanges:
        def work(connection: Connection) -> KeyChanges:
            generation = _generation(connection)
            wanted = select(api_keys)
            if 0 <= since <= generation:
                wanted = wanted.where(_C.revision > since)
            return KeyChanges(generation, [record_of(row) for row in connection.execute(wanted)])

        return await self._database.read(work)

    async def used(self, key_ids: Sequence[str], at: datetime) -> None:
        def work(connection: Connection) -> None:
            ids = sorted(set(key_ids))
            for start in range(0, len(ids), USES_AT_ONCE):
                rows = [{"key_id": each, "used_at_us": us(at)} for each in ids[start : start + USES_AT_ONCE]]
                statement = insert_into(self._database.dialect, key_uses).values(rows)
                later = statement.excluded.used_at_us
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["key_id"],
                        set_={"used_at_us": later},
                        where=key_uses.c.used_at_us < later,
                    )
                )

        await self._database.write(work, alone=False)

    async def rehash(self, found: Sequence[Rehash]) -> int:
        def work(connection: Connection) -> int:
            revision = _count_up(connection)
            done = 0
            for key_id, before, after in found:
                done += connection.execute(
                    update(api_keys)
                    .where(
                        _C.key_id == key_id,
                        _C.hash == before.digest,
                        _C.pepper_version == before.pepper_version,
                        _C.revoked_at_us.is_(None),
                    )
                    .values(hash=after.digest, pepper_version=after.pepper_version, revision=revision)
                ).rowcount
            if not done:
                _count_back(connection)
            return done

        return await self._database.write(work)


def with_uses() -> Any:
    """Keys with their last use."""
    return select(api_keys, key_uses.c.used_at_us).outerjoin(key_uses, key_uses.c.key_id == _C.key_id)


def _generation(connection: Connection) -> int:
    return int(connection.execute(select(func.max(key_generation.c.generation))).scalar_one())


def _count_up(connection: Connection) -> int:
    connection.execute(update(key_generation).values(generation=key_generation.c.generation + 1))
    return _generation(connection)


def _count_back(connection: Connection) -> None:
    """Nothing changed after all; its lock is still held, so nobody saw the number."""
    connection.execute(update(key_generation).values(generation=key_generation.c.generation - 1))


def _row(record: KeyRecord) -> dict[str, Any]:
    old = record.old_secret
    return {
        **{name: getattr(record, name) for name in _TEXTS},
        **{name: _names(getattr(record, name)) for name in _SETS},
        **{f"{name}_us": _us_or_none(getattr(record, name)) for name in _TIMES},
        "hash": record.hash,
        "pepper_version": record.pepper_version,
        "permissions": _names(record.permissions),
        "networks": json.dumps(record.networks) if record.networks else None,
        "old_hash": None if old is None else old.hash,
        "old_pepper_version": None if old is None else old.pepper_version,
        "old_scheme": None if old is None else old.scheme,
        "old_until_us": None if old is None else us(old.until),
    }


def record_of(row: Row[Any], *, used_at_us: int | None = None) -> KeyRecord:
    """What a row says of a key."""
    old = None
    if row.old_hash is not None:
        old = OldSecret(row.old_hash, row.old_pepper_version, row.old_scheme, moment(row.old_until_us))
    fields: dict[str, Any] = {
        **{name: getattr(row, name) for name in _TEXTS},
        **{name: _set(getattr(row, name)) for name in _SETS},
        **{name: _at_or_none(getattr(row, f"{name}_us")) for name in _TIMES},
    }
    return KeyRecord(
        **fields,
        hash=row.hash,
        pepper_version=row.pepper_version,
        permissions=_set(row.permissions),
        networks=tuple(json.loads(row.networks)) if row.networks else (),
        old_secret=old,
        last_used_at=_at_or_none(used_at_us),
        revision=row.revision,
    )


def _names(names: frozenset[str] | None) -> str | None:
    return None if names is None else json.dumps(sorted(names))


@lru_cache(maxsize=LISTS_REMEMBERED_MAX)
def _set(names: str | None) -> frozenset[str] | None:
    return None if names is None else frozenset(json.loads(names))


def us(at: datetime) -> int:
    """UTC epoch microseconds."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    """The aware moment of these microseconds."""
    return _EPOCH + timedelta(microseconds=at_us)


def _us_or_none(at: datetime | None) -> int | None:
    return None if at is None else us(at)


def _at_or_none(at_us: int | None) -> datetime | None:
    return None if at_us is None else moment(at_us)
