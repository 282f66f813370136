"""Files that live as long as the process."""

import hashlib
from collections.abc import AsyncIterator

from application.ports.file_store import CHUNK_BYTES, FileContents, FileRecords, Written
from domain.batch.stored_file import StoredFile
from domain.errors import NotFound, RequestTooLarge, StorageQuotaExceeded, StoreUnavailable


class InMemoryFileRecords(FileRecords):
    """Never waits. `reachable` can be switched off to see what a caller does when its store is down."""

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable
        self._records: dict[tuple[str, str], StoredFile] = {}

    async def add(self, record: StoredFile, *, files_max: int, bytes_max: int) -> None:
        self._require_reachable()
        name = (record.tenant_id, record.file_id)
        if name in self._records:
            return
        mine = [one for one in self._records.values() if one.tenant_id == record.tenant_id]
        size_bytes = sum(one.size_bytes for one in mine) + record.size_bytes
        if len(mine) >= files_max or size_bytes > bytes_max:
            raise StorageQuotaExceeded(f"at most {files_max} files and {bytes_max} bytes are kept")
        self._records[name] = record

    async def get(self, tenant_id: str, file_id: str) -> StoredFile | None:
        self._require_reachable()
        return self._records.get((tenant_id, file_id))

    async def page(
        self, tenant_id: str, *, purpose: str | None, after: str | None, limit: int, ascending: bool
    ) -> list[StoredFile]:
        self._require_reachable()
        found = sorted(
            (
                one
                for one in self._records.values()
                if one.tenant_id == tenant_id and purpose in (None, one.purpose)
            ),
            key=lambda one: one.file_id,
            reverse=not ascending,
        )
        if after is not None:
            found = [one for one in found if (one.file_id > after) == ascending and one.file_id != after]
        return found[:limit]

    async def remove(self, tenant_id: str, file_id: str) -> bool:
        self._require_reachable()
        return self._records.pop((tenant_id, file_id), None) is not None

    async def expired(self, at_us: int, limit: int) -> list[StoredFile]:
        self._require_reachable()
        return [one for one in self._records.values() if one.expires_at_us <= at_us][:limit]

    def _require_reachable(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the file records are switched off")


class InMemoryFileContents(FileContents):
    """Bytes in a dictionary."""

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable
        self._bytes: dict[tuple[str, str], bytes] = {}

    async def write(
        self, tenant_id: str, file_id: str, chunks: AsyncIterator[bytes], *, size_bytes_max: int
    ) -> Written:
        parts = bytearray()
        async for chunk in chunks:
            parts += chunk
            if len(parts) > size_bytes_max:
                raise RequestTooLarge(f"the file is over the limit of {size_bytes_max} bytes", param="file")
        self._require_reachable()
        self._bytes[tenant_id, file_id] = bytes(parts)
        return Written(len(parts), hashlib.sha256(parts).hexdigest())

    async def read(self, tenant_id: str, file_id: str) -> AsyncIterator[bytes]:
        self._require_reachable()
        kept = self._bytes.get((tenant_id, file_id))
        if kept is None:
            raise NotFound(f"the bytes of file {file_id} are gone")
        for start in range(0, len(kept), CHUNK_BYTES):
            yield kept[start : start + CHUNK_BYTES]

    async def remove(self, tenant_id: str, file_id: str) -> None:
        self._require_reachable()
        self._bytes.pop((tenant_id, file_id), None)

    def _require_reachable(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the file contents are switched off")
