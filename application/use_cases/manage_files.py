"""Files of callers: taken, listed, given back, deleted, and forgotten when their time is over."""

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from application.places import NO_PLACES, Places
from application.ports.batch_store import BatchStore
from application.ports.file_store import FileContents, FileRecords, Written
from application.ports.system import Clock, IdFactory
from domain.batch.stored_file import BATCH_OUTPUT, StoredFile, check_upload, read_expiry_s
from domain.errors import Conflict, NotFound
from domain.tenancy.principal import Principal

EXPIRED_AT_ONCE_MAX = 200
UNBOUNDED = 2**62


class FileLimits(NamedTuple):
    """Bounds per file and per tenant. `retention_s`: how long a file is kept at most."""

    file_bytes_max: int = 512 * 1024 * 1024
    files_per_tenant_max: int = 1000
    bytes_per_tenant_max: int = 4 * 1024 * 1024 * 1024
    retention_s: int = 30 * 86_400


class Received(NamedTuple):
    """Bytes that have arrived and belong to no file yet."""

    file_id: str
    written: Written


class ManageFiles:
    """A file is first received, then kept under a name and a purpose, since a form may bring those last."""

    def __init__(
        self,
        *,
        records: FileRecords,
        contents: FileContents,
        batches: BatchStore,
        clock: Clock,
        ids: IdFactory,
        limits: FileLimits,
        places: Places = NO_PLACES,
    ) -> None:
        self._records = records
        self._contents = contents
        self._batches = batches
        self._clock = clock
        self._ids = ids
        self.limits = limits
        self._places = places

    async def receive(self, by: Principal, chunks: AsyncIterator[bytes]) -> Received:
        """Raises RequestTooLarge, ResidencyViolation, StoreUnavailable, and what `chunks` raises; nothing is
        left then."""
        self._places.sinks.disk.require(self._places.of_tenant(by.tenant_id), "file")
        file_id = self._ids.next("file").replace("_", "-", 1)
        written = await self._contents.write(
            by.tenant_id, file_id, chunks, size_bytes_max=self.limits.file_bytes_max
        )
        return Received(file_id, written)

    async def keep(
        self, by: Principal, received: Received, *, filename: str, purpose: str, fields: Mapping[str, str]
    ) -> StoredFile:
        """Makes a file of what was received.

        Raises:
            InvalidRequest: a purpose, name or expiry that is not allowed.
            StorageQuotaExceeded, StoreUnavailable: nothing is kept then.
        """
        try:
            check_upload(filename, purpose)
            kept_s = read_expiry_s(fields, self.limits.retention_s)
            record = self._record(by.tenant_id, by.key_id, received, filename, purpose, kept_s)
            await self._records.add(
                record,
                files_max=self.limits.files_per_tenant_max,
                bytes_max=self.limits.bytes_per_tenant_max,
            )
        except BaseException:
            await self.discard(by, received)
            raise
        return record

    async def discard(self, by: Principal, received: Received) -> None:
        """Forgets what was received."""
        await self._contents.remove(by.tenant_id, received.file_id)

    async def write_output(
        self, tenant_id: str, key_id: str, file_id: str, filename: str, chunks: AsyncIterator[bytes]
    ) -> StoredFile:
        """A file that Interchange itself makes; again for the same id, it replaces the first.

        Counts against nobody's bounds while it is made: what was paid for is delivered.
        """
        written = await self._contents.write(tenant_id, file_id, chunks, size_bytes_max=UNBOUNDED)
        received = Received(file_id, written)
        record = self._record(tenant_id, key_id, received, filename, BATCH_OUTPUT, self.limits.retention_s)
        await self._records.add(record, files_max=UNBOUNDED, bytes_max=UNBOUNDED)
        return record

    async def get(self, by: Principal, file_id: str) -> StoredFile:
        """Raises NotFound for what is not there, expired, or another tenant's."""
        record = await self._records.get(by.tenant_id, file_id)
        if record is None or record.expires_at_us <= self._now_us():
            raise NotFound(f"no such file: {file_id[:80]}", param="file_id")
        return record

    async def page(
        self, by: Principal, *, purpose: str | None, after: str | None, limit: int, ascending: bool
    ) -> tuple[list[StoredFile], bool]:
        """Files of the tenant, and whether there are more behind them."""
        found = await self._records.page(
            by.tenant_id, purpose=purpose, after=after, limit=limit + 1, ascending=ascending
        )
        now_us = self._now_us()
        return [one for one in found[:limit] if one.expires_at_us > now_us], len(found) > limit

    async def content(self, by: Principal, file_id: str) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """The file with its bytes. Raises as `get`."""
        record = await self.get(by, file_id)
        return record, self._contents.read(by.tenant_id, file_id)

    async def delete(self, by: Principal, file_id: str) -> None:
        """Raises NotFound, or Conflict while a batch reads the file."""
        record = await self.get(by, file_id)
        if await self._batches.uses_file(by.tenant_id, file_id):
            raise Conflict(f"file {file_id} is read by an unfinished batch", param="file_id")
        await self._forget(record)

    async def forget_expired(self) -> int:
        """How many files of all tenants were removed because their time was over."""
        found = await self._records.expired(self._now_us(), EXPIRED_AT_ONCE_MAX)
        forgotten = 0
        for record in found:
            if not await self._batches.uses_file(record.tenant_id, record.file_id):
                await self._forget(record)
                forgotten += 1
        return forgotten

    async def _forget(self, record: StoredFile) -> None:
        # The record first: bytes without a record are never shown, a record without bytes would be.
        await self._records.remove(record.tenant_id, record.file_id)
        await self._contents.remove(record.tenant_id, record.file_id)

    def _record(
        self, tenant_id: str, key_id: str, received: Received, filename: str, purpose: str, kept_s: int
    ) -> StoredFile:
        now_us = self._now_us()
        return StoredFile(
            file_id=received.file_id,
            tenant_id=tenant_id,
            key_id=key_id,
            filename=filename,
            purpose=purpose,
            size_bytes=received.written.size_bytes,
            sha256=received.written.sha256,
            created_at_us=now_us,
            expires_at_us=now_us + kept_s * 1_000_000,
        )

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)
