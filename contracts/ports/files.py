"""What every FileRecords and every FileContents promises."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from application.ports.file_store import FileContents, FileRecords
from contracts.ports._base import PortContract
from domain.batch.stored_file import StoredFile
from domain.errors import NotFound, RequestTooLarge, StorageQuotaExceeded, StoreUnavailable

ROOMY = {"files_max": 100, "bytes_max": 10_000}


def record(file_id: str = "file-0001", tenant_id: str = "acme", **more: object) -> StoredFile:
    plain = StoredFile(
        file_id=file_id,
        tenant_id=tenant_id,
        key_id="k",
        filename="Überblick.jsonl",
        purpose="batch",
        size_bytes=100,
        sha256="0" * 64,
        created_at_us=1_000,
        expires_at_us=5_000,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


class FileRecordsContract(PortContract):
    """Bind `records`, and `unreachable_records`: the same adapter with its backend gone."""

    @pytest.fixture
    def records(self) -> FileRecords:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_records(self) -> FileRecords:
        raise NotImplementedError

    async def test_what_was_added_is_what_is_read(self, records: FileRecords) -> None:
        await records.add(record(), **ROOMY)
        assert await records.get("acme", "file-0001") == record()

    async def test_another_tenants_file_is_not_there(self, records: FileRecords) -> None:
        await records.add(record(), **ROOMY)
        assert await records.get("other", "file-0001") is None
        assert await records.remove("other", "file-0001") is False
        assert await records.page("other", purpose=None, after=None, limit=10, ascending=True) == []

    async def test_adding_the_same_id_again_changes_nothing(self, records: FileRecords) -> None:
        await records.add(record(), **ROOMY)
        await records.add(record(filename="other"), files_max=1, bytes_max=1)
        assert await records.get("acme", "file-0001") == record()

    async def test_count_and_bytes_are_bounded_per_tenant(self, records: FileRecords) -> None:
        await records.add(record(), files_max=1, bytes_max=150)
        with pytest.raises(StorageQuotaExceeded):
            await records.add(record("file-0002"), files_max=1, bytes_max=1000)
        with pytest.raises(StorageQuotaExceeded):
            await records.add(record("file-0002"), files_max=9, bytes_max=150)
        await records.add(record("file-0003", "other"), files_max=1, bytes_max=150)
        assert await records.get("acme", "file-0002") is None

    async def test_pages_follow_one_another_both_ways(self, records: FileRecords) -> None:
        for number in range(5):
            await records.add(record(f"file-000{number}"), **ROOMY)
        await records.add(record("file-0009", purpose="batch_output"), **ROOMY)

        newest = await records.page("acme", purpose="batch", after=None, limit=2, ascending=False)
        older = await records.page("acme", purpose="batch", after="file-0003", limit=9, ascending=False)
        oldest = await records.page("acme", purpose=None, after="file-0003", limit=9, ascending=True)

        assert [one.file_id for one in newest] == ["file-0004", "file-0003"]
        assert [one.file_id for one in older] == ["file-0002", "file-0001", "file-0000"]
        assert [one.file_id for one in oldest] == ["file-0004", "file-0009"]

    async def test_a_removed_file_is_gone_once(self, records: FileRecords) -> None:
        await records.add(record(), **ROOMY)
        assert await records.remove("acme", "file-0001") is True
        assert await records.remove("acme", "file-0001") is False
        assert await records.get("acme", "file-0001") is None

    async def test_expired_files_of_all_tenants_are_found(self, records: FileRecords) -> None:
        await records.add(record(), **ROOMY)
        await records.add(record("file-0002", "other", expires_at_us=9_000), **ROOMY)
        assert [one.file_id for one in await records.expired(5_000, 10)] == ["file-0001"]
        assert len(await records.expired(9_000, 1)) == 1

    async def test_of_many_adding_at_once_no_more_than_allowed_get_in(self, records: FileRecords) -> None:
        adding = (
            records.add(record(f"file-{number:04}"), files_max=3, bytes_max=10_000) for number in range(8)
        )
        outcomes = await asyncio.gather(*adding, return_exceptions=True)
        assert outcomes.count(None) == 3

    async def test_unreachable_records_say_so(self, unreachable_records: FileRecords) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_records.add(record(), **ROOMY)
        with pytest.raises(StoreUnavailable):
            await unreachable_records.get("acme", "file-0001")
        with pytest.raises(StoreUnavailable):
            await unreachable_records.expired(1, 1)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class FileContentsContract(PortContract):
    """Bind `contents`."""

    @pytest.fixture
    def contents(self) -> FileContents:
        raise NotImplementedError

    async def _bytes(self, contents: FileContents, tenant_id: str, file_id: str) -> bytes:
        return b"".join([chunk async for chunk in contents.read(tenant_id, file_id)])

    async def test_what_was_written_is_what_is_read(self, contents: FileContents) -> None:
        large = bytes(range(256)) * 4096
        written = await contents.write("acme", "file-1", chunks(b"a", large, b"z"), size_bytes_max=2**21)

        assert written.size_bytes == len(large) + 2
        assert len(written.sha256) == 64
        assert await self._bytes(contents, "acme", "file-1") == b"a" + large + b"z"

    async def test_an_empty_file_is_a_file(self, contents: FileContents) -> None:
        assert (await contents.write("acme", "file-1", chunks(), size_bytes_max=1)).size_bytes == 0
        assert await self._bytes(contents, "acme", "file-1") == b""

    async def test_too_many_bytes_leave_nothing_behind(self, contents: FileContents) -> None:
        with pytest.raises(RequestTooLarge):
            await contents.write("acme", "file-1", chunks(b"12", b"34"), size_bytes_max=3)
        with pytest.raises(NotFound):
            await self._bytes(contents, "acme", "file-1")

    async def test_a_sender_that_breaks_leaves_nothing_behind(self, contents: FileContents) -> None:
        async def breaking() -> AsyncIterator[bytes]:
            yield b"half"
            raise ConnectionError

        with pytest.raises(ConnectionError):
            await contents.write("acme", "file-1", breaking(), size_bytes_max=100)
        with pytest.raises(NotFound):
            await self._bytes(contents, "acme", "file-1")

    async def test_a_second_write_takes_the_place_of_the_first(self, contents: FileContents) -> None:
        await contents.write("acme", "file-1", chunks(b"first"), size_bytes_max=100)
        await contents.write("acme", "file-1", chunks(b"second"), size_bytes_max=100)
        assert await self._bytes(contents, "acme", "file-1") == b"second"

    async def test_another_tenants_bytes_are_not_there(self, contents: FileContents) -> None:
        await contents.write("acme", "file-1", chunks(b"secret"), size_bytes_max=100)
        with pytest.raises(NotFound):
            await self._bytes(contents, "other", "file-1")
        await contents.remove("other", "file-1")
        assert await self._bytes(contents, "acme", "file-1") == b"secret"

    async def test_removed_bytes_are_gone_and_may_be_removed_again(self, contents: FileContents) -> None:
        await contents.write("acme", "file-1", chunks(b"x"), size_bytes_max=100)
        await contents.remove("acme", "file-1")
        await contents.remove("acme", "file-1")
        with pytest.raises(NotFound):
            await self._bytes(contents, "acme", "file-1")

    async def test_a_cancelled_write_leaves_nothing_behind(self, contents: FileContents) -> None:
        async def endless() -> AsyncIterator[bytes]:
            yield b"begun"
            await asyncio.Event().wait()

        writing = asyncio.create_task(contents.write("acme", "file-1", endless(), size_bytes_max=100))
        await asyncio.sleep(0.02)
        writing.cancel()
        await asyncio.wait([writing])
        with pytest.raises(NotFound):
            await self._bytes(contents, "acme", "file-1")
