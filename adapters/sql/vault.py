"""The vault's rows, in the database."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.vault_tables import vault_credentials, vault_manifests, vault_retired_keys, vault_state
from application.ports.vault import CredentialStore, Kept, Revise, RotationLog, VaultFigures
from domain.errors import Conflict
from domain.vault.credential import Change, StoredCredential
from domain.vault.manifest import SignedManifest
from domain.vault.rotation import Rotation, RotationKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_C = vault_credentials.c
_M = vault_manifests.c


class SqlCredentialStore(CredentialStore):
    """Whoever changes something locks the one row of `vault_state` first: changes wait for one another,
    whatever the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenant(self, tenant_id: str, ids: Collection[str] | None = None) -> Kept:
        def work(connection: Connection) -> Kept:
            wanted = select(vault_credentials).where(_C.tenant_id == tenant_id).order_by(_C.credential_id)
            if ids is not None:
                wanted = wanted.where(_C.credential_id.in_(list(ids)))
            rows = tuple(_stored(row) for row in connection.execute(wanted))
            return Kept(rows, _manifest(connection, tenant_id))

        return await self._database.read(work)

    async def change(
        self, tenant_id: str, changes: Sequence[Change], revise: Revise
    ) -> tuple[SignedManifest | None, tuple[str, ...]]:
        def work(connection: Connection) -> tuple[SignedManifest | None, tuple[str, ...]]:
            _lock(connection)
            old = _manifest(connection, tenant_id)
            applying = [each for each in changes if _applies(connection, tenant_id, each)]
            if changes and not applying:
                return old, ()
            _check_retired(connection, applying)
            kept = connection.execute(
                select(func.count()).select_from(vault_credentials).where(_C.tenant_id == tenant_id)
            ).scalar_one()
            new = revise(old, kept, applying)
            for each in applying:
                _apply(connection, each)
            _keep_manifest(connection, tenant_id, old, new)
            _count_up(connection)
            return new, tuple(each.credential_id for each in applying)

        try:
            return await self._database.write(work, alone=False)
        except IntegrityError as error:
            raise Conflict(f"tenant {tenant_id} has a credential of that name", param="name") from error

    async def figures(self) -> VaultFigures:
        def work(connection: Connection) -> VaultFigures:
            counted = connection.execute(select(_C.key_id, func.count()).group_by(_C.key_id)).all()
            tenants = {row[0] for row in connection.execute(select(_C.tenant_id).distinct())}
            tenants |= {row[0] for row in connection.execute(select(_M.tenant_id))}
            first = connection.execute(select(func.min(_C.created_at_us))).scalar()
            return VaultFigures(
                {key_id: int(count) for key_id, count in counted},
                tuple(sorted(tenants)),
                None if first is None else _at(first),
            )

        return await self._database.read(work)

    async def generation(self) -> int:
        def work(connection: Connection) -> int:
            return int(connection.execute(select(vault_state.c.generation)).scalar_one())

        return await self._database.read(work)

    async def retire(self, key_id: str) -> bool:
        def work(connection: Connection) -> bool:
            _lock(connection)
            if connection.execute(select(_C.credential_id).where(_C.key_id == key_id).limit(1)).first():
                return False
            retired = vault_retired_keys.c.key_id
            if connection.execute(select(retired).where(retired == key_id)).first() is None:
                connection.execute(insert(vault_retired_keys).values(key_id=key_id))
            return True

        return await self._database.write(work, alone=False)


class SqlRotationLog(RotationLog):
    """The newest rotation as JSON in `vault_state`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self) -> Rotation | None:
        return await self._database.read(_rotation)

    async def note(self, rotation: Rotation, *, instead_of: str | None) -> bool:
        def work(connection: Connection) -> bool:
            _lock(connection)
            there = _rotation(connection)
            if (None if there is None else there.rotation_id) != instead_of:
                return False
            connection.execute(update(vault_state).values(rotation=_rotation_text(rotation)))
            return True

        return await self._database.write(work, alone=False)


def _lock(connection: Connection) -> None:
    # SQLite holds its one write lock already and reads over FOR UPDATE.
    connection.execute(select(vault_state.c.generation).with_for_update()).scalar_one()


def _count_up(connection: Connection) -> None:
    connection.execute(update(vault_state).values(generation=vault_state.c.generation + 1))


def _manifest(connection: Connection, tenant_id: str) -> SignedManifest | None:
    row = connection.execute(select(_M.body, _M.signature).where(_M.tenant_id == tenant_id)).first()
    return None if row is None else SignedManifest(bytes(row.body), bytes(row.signature))


def _applies(connection: Connection, tenant_id: str, change: Change) -> bool:
    found = connection.execute(
        select(vault_credentials).where(_C.credential_id == change.credential_id, _C.tenant_id == tenant_id)
    ).first()
    if found is None:
        return change.expected is None
    return change.expected is not None and _stored(found).digest == change.expected


def _check_retired(connection: Connection, changes: Sequence[Change]) -> None:
    wanted = {each.row.key_id for each in changes if each.row is not None}
    retired = vault_retired_keys.c.key_id
    found = connection.execute(select(retired).where(retired.in_(wanted)).limit(1)).scalar()
    if found is not None:
        raise Conflict(f"key {found} was retired; nothing is sealed under it any more")


def _apply(connection: Connection, change: Change) -> None:
    mine = _C.credential_id == change.credential_id
    if change.row is None:
        connection.execute(delete(vault_credentials).where(mine))
    elif change.expected is None:
        connection.execute(insert(vault_credentials).values(**_values(change.row)))
    else:
        connection.execute(update(vault_credentials).where(mine).values(**_values(change.row)))


def _keep_manifest(
    connection: Connection, tenant_id: str, old: SignedManifest | None, new: SignedManifest
) -> None:
    values = {"body": new.body, "signature": new.signature}
    if old is None:
        connection.execute(insert(vault_manifests).values(tenant_id=tenant_id, **values))
    else:
        connection.execute(update(vault_manifests).where(_M.tenant_id == tenant_id).values(**values))


def _values(row: StoredCredential) -> dict[str, Any]:
    return {
        "credential_id": row.credential_id,
        "tenant_id": row.tenant_id,
        "name": row.name,
        "integration": row.integration,
        "field": row.field,
        "version": row.version,
        "key_id": row.key_id,
        "sealed": row.sealed,
        "sealed_at_us": _us(row.sealed_at),
        "created_at_us": _us(row.created_at),
        "updated_at_us": _us(row.updated_at),
        "updated_by": row.updated_by,
    }


def _stored(row: Row[Any]) -> StoredCredential:
    return StoredCredential(
        credential_id=row.credential_id,
        tenant_id=row.tenant_id,
        name=row.name,
        integration=row.integration,
        field=row.field,
        version=int(row.version),
        key_id=row.key_id,
        sealed=bytes(row.sealed),
        sealed_at=_at(row.sealed_at_us),
        created_at=_at(row.created_at_us),
        updated_at=_at(row.updated_at_us),
        updated_by=row.updated_by,
    )


def _rotation(connection: Connection) -> Rotation | None:
    text = connection.execute(select(vault_state.c.rotation)).scalar()
    if text is None:
        return None
    said = json.loads(text)
    finished = said["finished_at"]
    return Rotation(
        rotation_id=said["rotation_id"],
        kind=RotationKind(said["kind"]),
        started_at=datetime.fromisoformat(said["started_at"]),
        started_by=said["started_by"],
        total=said["total"],
        done=said["done"],
        failed=said["failed"],
        finished_at=None if finished is None else datetime.fromisoformat(finished),
    )


def _rotation_text(rotation: Rotation) -> str:
    finished = rotation.finished_at
    return json.dumps(
        {
            "rotation_id": rotation.rotation_id,
            "kind": rotation.kind.value,
            "started_at": rotation.started_at.isoformat(),
            "started_by": rotation.started_by,
            "total": rotation.total,
            "done": rotation.done,
            "failed": rotation.failed,
            "finished_at": None if finished is None else finished.isoformat(),
        }
    )


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _at(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
