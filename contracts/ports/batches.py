"""What every BatchStore and every BatchJournals promises."""

import asyncio
from dataclasses import replace

import pytest

from application.ports.batch_store import BatchJournal, BatchJournals, BatchStore
from contracts.ports._base import PortContract
from contracts.ports.usage import usage_event
from domain.batch.batch import Batch, BatchProblem, BatchStatus, LineCounts, Moments, StopReason
from domain.batch.progress import Intent, Record, TryEnded
from domain.batch.settings import BatchMode, BatchSettings
from domain.errors import StorageQuotaExceeded, StoreUnavailable
from domain.money import NanoUsd

ROOMY = {"batches_max": 100, "unfinished_max": 50}


def batch(batch_id: str = "batch_01", tenant_id: str = "acme", **more: object) -> Batch:
    plain = Batch(
        batch_id=batch_id,
        tenant_id=tenant_id,
        key_id="k",
        endpoint="/v1/chat/completions",
        input_file_id="file-1",
        completion_window="24h",
        status=BatchStatus.VALIDATING,
        created_at_us=1_000,
        expires_at_us=9_000,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


FULL = batch(
    metadata=(("customer", "Zoë"), ("interchange_mode", "auto")),
    settings=BatchSettings(mode=BatchMode.AUTO, budget_nano_usd=NanoUsd(5), concurrency=3, retries=0),
    status=BatchStatus.FINALIZING,
    moments=Moments(in_progress=2, finalizing=3),
    counts=LineCounts(10, 7, 2),
    problems=(BatchProblem("code", "message", 4, "body"), BatchProblem("other", "without a line")),
    stop=StopReason.BUDGET,
    output_file_id="file-2",
    cost_nano_usd=2**60,
    uncosted=1,
    unresolved=1,
    provider_batch="b-1",
    answered_by="alpha/small",
)


class BatchStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> BatchStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> BatchStore:
        raise NotImplementedError

    async def test_what_was_added_is_what_is_read(self, store: BatchStore) -> None:
        await store.add(FULL, **ROOMY)
        assert await store.get("acme", "batch_01") == FULL
        assert await store.get("other", "batch_01") is None

    async def test_batches_are_bounded_per_tenant(self, store: BatchStore) -> None:
        await store.add(batch(), batches_max=9, unfinished_max=1)
        with pytest.raises(StorageQuotaExceeded):
            await store.add(batch("batch_02"), batches_max=9, unfinished_max=1)
        await store.add(batch("batch_03", "other"), batches_max=9, unfinished_max=1)
        done = batch("batch_04", "done", status=BatchStatus.COMPLETED)
        await store.add(done, batches_max=1, unfinished_max=1)
        with pytest.raises(StorageQuotaExceeded):
            await store.add(batch("batch_05", "done"), batches_max=1, unfinished_max=1)

    async def test_pages_go_from_the_newest_to_the_oldest(self, store: BatchStore) -> None:
        for number in range(4):
            await store.add(batch(f"batch_0{number}"), **ROOMY)
        await store.add(batch("batch_09", "other"), **ROOMY)

        first = await store.page("acme", after=None, limit=2)
        rest = await store.page("acme", after="batch_02", limit=9)

        assert [one.batch_id for one in first] == ["batch_03", "batch_02"]
        assert [one.batch_id for one in rest] == ["batch_01", "batch_00"]

    async def test_whoever_takes_over_gets_a_higher_fence_and_the_one_before_writes_no_more(
        self, store: BatchStore
    ) -> None:
        await store.add(batch(), **ROOMY)
        first = await store.take_over("batch_01")
        second = await store.take_over("batch_01")
        assert first is not None and second is not None and second.fence > first.fence

        assert await store.save(replace(first, status=BatchStatus.FAILED)) is False
        assert await store.save(replace(second, status=BatchStatus.IN_PROGRESS)) is True

        kept = await store.get("acme", "batch_01")
        assert kept is not None and kept.status is BatchStatus.IN_PROGRESS

    async def test_nobody_takes_over_what_is_over_or_gone(self, store: BatchStore) -> None:
        await store.add(batch(status=BatchStatus.COMPLETED), **ROOMY)
        assert await store.take_over("batch_01") is None
        assert await store.take_over("batch_99") is None

    async def test_a_cancellation_survives_what_the_runner_writes(self, store: BatchStore) -> None:
        await store.add(batch(), **ROOMY)
        running = await store.take_over("batch_01")
        assert running is not None

        asked = await store.ask_to_cancel("acme", "batch_01", 77)
        again = await store.ask_to_cancel("acme", "batch_01", 88)
        assert await store.save(replace(running, counts=LineCounts(5, 1, 0))) is True

        kept = await store.get("acme", "batch_01")
        assert asked is not None and asked.shown_status is BatchStatus.CANCELLING
        assert again is not None and again.moments.cancelling == 77
        assert kept is not None and (kept.moments.cancelling, kept.counts.completed) == (77, 1)

    async def test_what_is_over_or_anothers_is_not_cancelled(self, store: BatchStore) -> None:
        await store.add(batch(status=BatchStatus.COMPLETED), **ROOMY)
        over = await store.ask_to_cancel("acme", "batch_01", 77)
        assert over is not None and over.moments.cancelling is None
        assert await store.ask_to_cancel("other", "batch_01", 77) is None

    async def test_unfinished_batches_counts_and_used_files_are_known(self, store: BatchStore) -> None:
        await store.add(batch(), **ROOMY)
        await store.add(batch("batch_02", "other", input_file_id="file-2"), **ROOMY)
        await store.add(batch("batch_03", status=BatchStatus.FAILED, input_file_id="file-3"), **ROOMY)

        assert await store.unfinished(10) == ["batch_01", "batch_02"]
        assert dict(await store.counts()) == {"validating": 2, "failed": 1}
        assert await store.uses_file("acme", "file-1") is True
        assert await store.uses_file("acme", "file-2") is False
        assert await store.uses_file("acme", "file-3") is False

    async def test_only_old_batches_that_are_over_are_forgotten(self, store: BatchStore) -> None:
        await store.add(batch(), **ROOMY)
        await store.add(batch("batch_02", status=BatchStatus.FAILED), **ROOMY)
        await store.add(batch("batch_03", status=BatchStatus.FAILED, created_at_us=2_000), **ROOMY)

        assert await store.remove_created_before(2_000, 10) == ["batch_02"]

        assert await store.get("acme", "batch_02") is None
        assert await store.get("acme", "batch_03") is not None

    async def test_of_many_taking_over_at_once_the_fences_differ(self, store: BatchStore) -> None:
        await store.add(batch(), **ROOMY)
        taken = await asyncio.gather(*(store.take_over("batch_01") for _ in range(6)))
        assert len({one.fence for one in taken if one is not None}) == 6

    async def test_an_unreachable_store_says_so(self, unreachable_store: BatchStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.add(batch(), **ROOMY)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.get("acme", "batch_01")
        with pytest.raises(StoreUnavailable):
            await unreachable_store.save(batch())
        with pytest.raises(StoreUnavailable):
            await unreachable_store.unfinished(1)


RECORDS: tuple[Record, ...] = (
    Intent(1, 0, "key-1", "alpha/small", 500),
    TryEnded(
        1, 0, "ä", False, False, 503, "req_1", None, "upstream_overloaded", "busy", usage_event(1), True
    ),
    Intent(1, 1, "key-1", "alpha/small", None),
    TryEnded(1, 1, "ä", True, True, 200, "req_2", b'{"a":1}', "", "", usage_event(2)),
    TryEnded(2, 0, "b", True, False, 0, "", None, "batch_expired", "too late", None),
)


async def all_records(journal: BatchJournal) -> list[Record]:
    found: list[Record] = []
    offset, last = 0, False
    while not last:
        records, offset, last = await journal.page(offset)
        found += records
    return found


class BatchJournalsContract(PortContract):
    """Bind `journals`."""

    @pytest.fixture
    def journals(self) -> BatchJournals:
        raise NotImplementedError

    async def test_what_was_appended_is_read_by_the_next_holder(self, journals: BatchJournals) -> None:
        first = await journals.open("batch_01")
        assert first is not None
        for record in RECORDS:
            first.append(record)
        await first.sync()
        first.close()

        second = await journals.open("batch_01")
        assert second is not None
        assert await all_records(second) == list(RECORDS)
        second.append(RECORDS[0])
        assert await all_records(second) == [*RECORDS, RECORDS[0]]
        second.close()

    async def test_one_holds_a_journal_until_it_is_closed(self, journals: BatchJournals) -> None:
        held = await journals.open("batch_01")
        other = await journals.open("batch_02")
        assert held is not None and other is not None
        assert await journals.open("batch_01") is None
        held.close()
        held.close()
        again = await journals.open("batch_01")
        assert again is not None
        again.close()
        other.close()

    async def test_long_journals_come_in_pages(self, journals: BatchJournals) -> None:
        journal = await journals.open("batch_01")
        assert journal is not None
        many = [Intent(line, 0, f"key-{line}", "t", None) for line in range(1000)]
        for record in many:
            journal.append(record)
        first = await journal.page(0)
        assert 0 < len(first.records) < 1000 and not first.last
        assert await all_records(journal) == many
        journal.close()

    async def test_a_removed_journal_begins_anew(self, journals: BatchJournals) -> None:
        journal = await journals.open("batch_01")
        assert journal is not None
        journal.append(RECORDS[0])
        journal.close()
        await journals.remove("batch_01")
        again = await journals.open("batch_01")
        assert again is not None
        assert await all_records(again) == []
        again.close()
