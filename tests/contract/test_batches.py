"""Batch stores and journals, bound to every adapter."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.batches import InMemoryBatchJournals, InMemoryBatchStore
from adapters.sql.batch_journal import DiskBatchJournals
from adapters.sql.batches import SqlBatchStore
from adapters.sql.thread import BlockingThread
from application.ports.batch_store import BatchJournals, BatchStore
from contracts.ports.batches import RECORDS, BatchJournalsContract, BatchStoreContract, all_records
from domain.errors import StoreUnavailable
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryBatchStore(BatchStoreContract):
    @pytest.fixture
    def store(self) -> BatchStore:
        return InMemoryBatchStore()

    @pytest.fixture
    def unreachable_store(self) -> BatchStore:
        return InMemoryBatchStore(reachable=False)


class TestSqlBatchStore(BatchStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> BatchStore:
        return SqlBatchStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> BatchStore:
        sql.lose()
        return SqlBatchStore(sql.database)


class TestInMemoryBatchJournals(BatchJournalsContract):
    @pytest.fixture
    def journals(self) -> BatchJournals:
        return InMemoryBatchJournals()


class TestDiskBatchJournals(BatchJournalsContract):
    @pytest.fixture
    async def thread(self) -> AsyncIterator[BlockingThread]:
        thread = BlockingThread("test-journals")
        yield thread
        await thread.aclose()

    @pytest.fixture
    def journals(self, tmp_path: Path, thread: BlockingThread) -> BatchJournals:
        return DiskBatchJournals(tmp_path, thread)

    @pytest.mark.parametrize("torn", [1, 5, 9, 40])
    async def test_a_torn_record_is_cut_off_and_the_journal_goes_on(
        self, tmp_path: Path, journals: BatchJournals, torn: int
    ) -> None:
        first = await journals.open("batch_01")
        assert first is not None
        for record in RECORDS:
            first.append(record)
        first.close()
        path = tmp_path / "batch_01" / "records"
        os.truncate(path, path.stat().st_size - torn)

        second = await journals.open("batch_01")
        assert second is not None
        second.append(RECORDS[-1])
        assert await all_records(second) == list(RECORDS)
        second.close()

    async def test_a_damaged_record_costs_itself_alone(self, tmp_path: Path, journals: BatchJournals) -> None:
        first = await journals.open("batch_01")
        assert first is not None
        for record in RECORDS:
            first.append(record)
        first.close()
        path = tmp_path / "batch_01" / "records"
        data = bytearray(path.read_bytes())
        at = data.index(b"key-1")
        data[at] ^= 0xFF
        path.write_bytes(data)

        second = await journals.open("batch_01")
        assert second is not None
        assert await all_records(second) == list(RECORDS[1:])
        second.close()

    async def test_a_full_disk_leaves_no_half_record(self, tmp_path: Path, thread: BlockingThread) -> None:
        full = False

        def write(descriptor: int, data: bytes) -> int:
            return os.write(descriptor, data[: len(data) // 2] if full else data)

        journal = await DiskBatchJournals(tmp_path, thread, write=write).open("batch_01")
        assert journal is not None
        journal.append(RECORDS[0])
        full = True
        with pytest.raises(StoreUnavailable):
            journal.append(RECORDS[1])
        full = False
        journal.append(RECORDS[2])
        assert await all_records(journal) == [RECORDS[0], RECORDS[2]]
        journal.close()
