"""Batches and files in the database. A batch is one JSON text beside the columns it is found by."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from adapters.sql.batch_schema import batches, files
from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from application.ports.batch_store import BatchStore
from application.ports.file_store import FileRecords
from domain.batch.batch import FINAL_STATUSES, Batch
from domain.batch.stored_file import StoredFile
from domain.errors import StorageQuotaExceeded

Result = TypeVar("Result")
_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.Decoder(Batch).decode
_OPEN: Final = batches.c.status.not_in(FINAL_STATUSES)


class SqlBatchStore(BatchStore):
    """Every change is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, batch: Batch, *, batches_max: int, unfinished_max: int) -> None:
        def work(connection: Connection) -> None:
            mine = batches.c.tenant_id == batch.tenant_id
            kept = connection.execute(select(func.count()).where(mine)).scalar_one()
            unfinished = connection.execute(select(func.count()).where(mine, _OPEN)).scalar_one()
            if kept >= batches_max or unfinished >= unfinished_max:
                raise StorageQuotaExceeded(
                    f"at most {batches_max} batches are kept, {unfinished_max} of them unfinished; "
                    "finished ones are removed as time passes"
                )
            connection.execute(insert(batches).values(**_row(batch)))

        await _written(self._database, work)

    async def get(self, tenant_id: str, batch_id: str) -> Batch | None:
        def work(connection: Connection) -> Batch | None:
            return _one(connection, batches.c.batch_id == batch_id, batches.c.tenant_id == tenant_id)

        return await self._database.read(work)

    async def page(self, tenant_id: str, *, after: str | None, limit: int) -> list[Batch]:
        def work(connection: Connection) -> list[Batch]:
            wanted = select(batches).where(batches.c.tenant_id == tenant_id)
            if after is not None:
                wanted = wanted.where(batches.c.batch_id < after)
            rows = connection.execute(wanted.order_by(batches.c.batch_id.desc()).limit(limit))
            return [_batch(row) for row in rows]

        return await self._database.read(work)

    async def save(self, batch: Batch) -> bool:
        values = {"status": batch.status.value, "body": _encode(batch).decode()}

        def work(connection: Connection) -> bool:
            changed = connection.execute(
                update(batches)
                .where(batches.c.batch_id == batch.batch_id, batches.c.fence == batch.fence)
                .values(**values)
            )
            return changed.rowcount > 0

        return await _written(self._database, work)

    async def ask_to_cancel(self, tenant_id: str, batch_id: str, at_us: int) -> Batch | None:
        mine = (batches.c.batch_id == batch_id, batches.c.tenant_id == tenant_id)

        def work(connection: Connection) -> Batch | None:
            connection.execute(
                update(batches)
                .where(*mine, _OPEN, batches.c.cancelling_at_us.is_(None))
                .values(cancelling_at_us=at_us)
            )
            return _one(connection, *mine)

        return await _written(self._database, work)

    async def take_over(self, batch_id: str) -> Batch | None:
        def work(connection: Connection) -> Batch | None:
            taken = connection.execute(
                update(batches).where(batches.c.batch_id == batch_id, _OPEN).values(fence=batches.c.fence + 1)
            )
            return _one(connection, batches.c.batch_id == batch_id) if taken.rowcount else None

        return await _written(self._database, work)

    async def unfinished(self, limit: int) -> list[str]:
        def work(connection: Connection) -> list[str]:
            wanted = select(batches.c.batch_id).where(_OPEN).order_by(batches.c.batch_id).limit(limit)
            return list(connection.execute(wanted).scalars())

        return await self._database.read(work)

    async def counts(self) -> Mapping[str, int]:
        def work(connection: Connection) -> dict[str, int]:
            rows = connection.execute(select(batches.c.status, func.count()).group_by(batches.c.status))
            return {str(status): int(count) for status, count in rows}

        return await self._database.read(work)

    async def uses_file(self, tenant_id: str, file_id: str) -> bool:
        def work(connection: Connection) -> bool:
            mine = (batches.c.tenant_id == tenant_id, batches.c.input_file_id == file_id)
            return (
                connection.execute(select(batches.c.batch_id).where(*mine, _OPEN).limit(1)).first()
                is not None
            )

        return await self._database.read(work)

    async def remove_created_before(self, at_us: int, limit: int) -> list[str]:
        def work(connection: Connection) -> list[str]:
            old = (batches.c.created_at_us < at_us, ~_OPEN)
            found = connection.execute(select(batches.c.batch_id).where(*old).limit(limit))
            ids = list(found.scalars())
            if ids:
                connection.execute(delete(batches).where(batches.c.batch_id.in_(ids)))
            return ids

        return await _written(self._database, work)


class SqlFileRecords(FileRecords):
    """One row per file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: StoredFile, *, files_max: int, bytes_max: int) -> None:
        def work(connection: Connection) -> None:
            mine = files.c.tenant_id == record.tenant_id
            known = select(files.c.file_id).where(mine, files.c.file_id == record.file_id)
            if connection.execute(known).first() is not None:
                return
            count, size_bytes = connection.execute(
                select(func.count(), func.coalesce(func.sum(files.c.size_bytes), 0)).where(mine)
            ).one()
            if count >= files_max or size_bytes + record.size_bytes > bytes_max:
                raise StorageQuotaExceeded(
                    f"at most {files_max} files and {bytes_max} bytes are kept; delete some first",
                    param="file",
                )
            connection.execute(insert(files).values(**_file_row(record)))

        await _written(self._database, work)

    async def get(self, tenant_id: str, file_id: str) -> StoredFile | None:
        def work(connection: Connection) -> StoredFile | None:
            wanted = select(files).where(files.c.tenant_id == tenant_id, files.c.file_id == file_id)
            row = connection.execute(wanted).first()
            return None if row is None else _file(row)

        return await self._database.read(work)

    async def page(
        self, tenant_id: str, *, purpose: str | None, after: str | None, limit: int, ascending: bool
    ) -> list[StoredFile]:
        def work(connection: Connection) -> list[StoredFile]:
            wanted = select(files).where(files.c.tenant_id == tenant_id)
            if purpose is not None:
                wanted = wanted.where(files.c.purpose == purpose)
            if after is not None:
                wanted = wanted.where(files.c.file_id > after if ascending else files.c.file_id < after)
            order = files.c.file_id.asc() if ascending else files.c.file_id.desc()
            return [_file(row) for row in connection.execute(wanted.order_by(order).limit(limit))]

        return await self._database.read(work)

    async def remove(self, tenant_id: str, file_id: str) -> bool:
        def work(connection: Connection) -> bool:
            gone = connection.execute(
                delete(files).where(files.c.tenant_id == tenant_id, files.c.file_id == file_id)
            )
            return gone.rowcount > 0

        return await _written(self._database, work)

    async def expired(self, at_us: int, limit: int) -> list[StoredFile]:
        def work(connection: Connection) -> list[StoredFile]:
            wanted = select(files).where(files.c.expires_at_us <= at_us).limit(limit)
            return [_file(row) for row in connection.execute(wanted)]

        return await self._database.read(work)


async def _written(database: Database, work: Callable[[Connection], Result]) -> Result:
    try:
        return await database.write(work)
    except REFUSED_VALUES as error:
        raise unavailable(error) from error


def _one(connection: Connection, *where: Any) -> Batch | None:
    row = connection.execute(select(batches).where(*where)).first()
    return None if row is None else _batch(row)


def _row(batch: Batch) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "tenant_id": batch.tenant_id,
        "status": batch.status.value,
        "input_file_id": batch.input_file_id,
        "created_at_us": batch.created_at_us,
        "cancelling_at_us": batch.moments.cancelling,
        "fence": batch.fence,
        "body": _encode(batch).decode(),
    }


def _batch(row: Row[Any]) -> Batch:
    """The columns that several processes write have the last word over the text."""
    batch = _decode(row.body)
    return replace(batch, fence=row.fence, moments=batch.moments._replace(cancelling=row.cancelling_at_us))


def _file_row(record: StoredFile) -> dict[str, Any]:
    return {name: getattr(record, name) for name in StoredFile.__slots__}


def _file(row: Row[Any]) -> StoredFile:
    return StoredFile(**{name: getattr(row, name) for name in StoredFile.__slots__})
