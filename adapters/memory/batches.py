"""Batches and their journals that live as long as the process."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from application.ports.batch_store import BatchJournal, BatchJournals, BatchStore, JournalPage
from domain.batch.batch import Batch
from domain.batch.progress import Record
from domain.errors import StorageQuotaExceeded, StoreUnavailable

_PAGE_RECORDS = 256


class InMemoryBatchStore(BatchStore):
    """Never waits. `reachable` can be switched off to see what a caller does when its store is down."""

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable
        self._batches: dict[str, Batch] = {}

    async def add(self, batch: Batch, *, batches_max: int, unfinished_max: int) -> None:
        self._require_reachable()
        mine = [one for one in self._batches.values() if one.tenant_id == batch.tenant_id]
        unfinished = sum(not one.status.final for one in mine)
        if len(mine) >= batches_max or unfinished >= unfinished_max:
            raise StorageQuotaExceeded(
                f"at most {batches_max} batches are kept, {unfinished_max} of them unfinished"
            )
        self._batches[batch.batch_id] = batch

    async def get(self, tenant_id: str, batch_id: str) -> Batch | None:
        self._require_reachable()
        batch = self._batches.get(batch_id)
        return batch if batch is not None and batch.tenant_id == tenant_id else None

    async def page(self, tenant_id: str, *, after: str | None, limit: int) -> list[Batch]:
        self._require_reachable()
        found = sorted(
            (one for one in self._batches.values() if one.tenant_id == tenant_id),
            key=lambda one: one.batch_id,
            reverse=True,
        )
        return [one for one in found if after is None or one.batch_id < after][:limit]

    async def save(self, batch: Batch) -> bool:
        self._require_reachable()
        kept = self._batches.get(batch.batch_id)
        if kept is None or kept.fence != batch.fence:
            return False
        asked = kept.moments.cancelling
        self._batches[batch.batch_id] = replace(batch, moments=batch.moments._replace(cancelling=asked))
        return True

    async def ask_to_cancel(self, tenant_id: str, batch_id: str, at_us: int) -> Batch | None:
        batch = await self.get(tenant_id, batch_id)
        if batch is None or batch.status.final or batch.moments.cancelling is not None:
            return batch
        asked = replace(batch, moments=batch.moments._replace(cancelling=at_us))
        self._batches[batch_id] = asked
        return asked

    async def take_over(self, batch_id: str) -> Batch | None:
        self._require_reachable()
        batch = self._batches.get(batch_id)
        if batch is None or batch.status.final:
            return None
        taken = self._batches[batch_id] = replace(batch, fence=batch.fence + 1)
        return taken

    async def unfinished(self, limit: int) -> list[str]:
        self._require_reachable()
        return sorted(one.batch_id for one in self._batches.values() if not one.status.final)[:limit]

    async def counts(self) -> Mapping[str, int]:
        self._require_reachable()
        return Counter(one.status.value for one in self._batches.values())

    async def uses_file(self, tenant_id: str, file_id: str) -> bool:
        self._require_reachable()
        return any(
            one.tenant_id == tenant_id and one.input_file_id == file_id and not one.status.final
            for one in self._batches.values()
        )

    async def remove_created_before(self, at_us: int, limit: int) -> list[str]:
        self._require_reachable()
        old = [
            one.batch_id for one in self._batches.values() if one.status.final and one.created_at_us < at_us
        ][:limit]
        for batch_id in old:
            del self._batches[batch_id]
        return old

    def _require_reachable(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the batch store is switched off")


class InMemoryBatchJournals(BatchJournals):
    """Journals in lists; `writable` can be switched off as if the disk were full."""

    def __init__(self) -> None:
        self.writable = True
        self.records: dict[str, list[Record]] = {}
        self.held: set[str] = set()

    async def open(self, batch_id: str) -> BatchJournal | None:
        if batch_id in self.held:
            return None
        self.held.add(batch_id)
        return _Journal(self, batch_id)

    async def remove(self, batch_id: str) -> None:
        self.records.pop(batch_id, None)


class _Journal(BatchJournal):
    def __init__(self, journals: InMemoryBatchJournals, batch_id: str) -> None:
        self._journals = journals
        self._batch_id = batch_id
        self._records = journals.records.setdefault(batch_id, [])

    def append(self, record: Record) -> None:
        if not self._journals.writable:
            raise StoreUnavailable("the journal is switched off")
        self._records.append(record)

    async def page(self, offset: int) -> JournalPage:
        end = min(len(self._records), offset + _PAGE_RECORDS)
        return JournalPage(self._records[offset:end], end, end == len(self._records))

    async def sync(self) -> None:
        return

    def close(self) -> None:
        self._journals.held.discard(self._batch_id)
