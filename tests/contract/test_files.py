"""File records and contents, bound to every adapter."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.disk.file_contents import DiskFileContents
from adapters.memory.files import InMemoryFileContents, InMemoryFileRecords
from adapters.sql.batches import SqlFileRecords
from adapters.sql.thread import BlockingThread
from application.ports.file_store import FileContents, FileRecords
from contracts.ports.files import FileContentsContract, FileRecordsContract, chunks
from domain.errors import NotFound, StoreUnavailable
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryFileRecords(FileRecordsContract):
    @pytest.fixture
    def records(self) -> FileRecords:
        return InMemoryFileRecords()

    @pytest.fixture
    def unreachable_records(self) -> FileRecords:
        return InMemoryFileRecords(reachable=False)


class TestSqlFileRecords(FileRecordsContract):
    @pytest.fixture
    def records(self, sql: AnySqlWorld) -> FileRecords:
        return SqlFileRecords(sql.database)

    @pytest.fixture
    def unreachable_records(self, sql: AnySqlWorld) -> FileRecords:
        sql.lose()
        return SqlFileRecords(sql.database)


class TestInMemoryFileContents(FileContentsContract):
    @pytest.fixture
    def contents(self) -> FileContents:
        return InMemoryFileContents()


class TestDiskFileContents(FileContentsContract):
    @pytest.fixture
    async def thread(self) -> AsyncIterator[BlockingThread]:
        thread = BlockingThread("test-files")
        yield thread
        await thread.aclose()

    @pytest.fixture
    def contents(self, tmp_path: Path, thread: BlockingThread) -> FileContents:
        return DiskFileContents(tmp_path / "files", thread)

    async def test_half_written_files_of_a_crash_are_swept(
        self, tmp_path: Path, thread: BlockingThread
    ) -> None:
        left = tmp_path / "files" / ".part" / "file-1-abcd"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half")
        await DiskFileContents(tmp_path / "files", thread).sweep()
        assert not left.exists()

    async def test_bytes_are_nobody_elses_business(self, tmp_path: Path, contents: FileContents) -> None:
        await contents.write("acme", "file-1", chunks(b"x"), size_bytes_max=10)
        assert (tmp_path / "files" / "acme" / "file-1").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("name", ["../x", "a/b", "", ".part", "a" * 200])
    async def test_no_name_leads_out_of_the_folder(self, contents: FileContents, name: str) -> None:
        with pytest.raises(NotFound):
            await contents.write(name, "file-1", chunks(b"x"), size_bytes_max=10)
        with pytest.raises(NotFound):
            await contents.remove("acme", name)

    async def test_a_disk_that_refuses_says_so(self, tmp_path: Path, thread: BlockingThread) -> None:
        (tmp_path / "files").write_text("in the way")
        with pytest.raises(StoreUnavailable):
            await DiskFileContents(tmp_path / "files", thread).write(
                "acme", "file-1", chunks(b"x"), size_bytes_max=10
            )
