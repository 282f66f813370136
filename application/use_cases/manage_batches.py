"""Batches as their owners see them: made, watched, cancelled. Somebody else runs them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from application.ports.batch_store import BatchStore
from application.ports.file_store import FileRecords
from application.ports.system import Clock, IdFactory
from domain.batch.batch import Batch, BatchStatus
from domain.batch.line import ENDPOINTS
from domain.batch.settings import read_settings, window_s
from domain.batch.stored_file import BATCH
from domain.errors import Forbidden, InvalidRequest, NotFound
from domain.tenancy.principal import Principal


class BatchLimits(NamedTuple):
    """Bounds per batch, per tenant and per process. `concurrency` is for batches that say none."""

    lines_max: int = 100_000
    line_bytes_max: int = 32 * 1024 * 1024
    batches_per_tenant_max: int = 1000
    unfinished_per_tenant_max: int = 50
    running_max: int = 4
    concurrency: int = 16
    concurrency_max: int = 64


class ManageBatches:
    """`on_new` is told when there is something to run."""

    def __init__(
        self,
        *,
        store: BatchStore,
        files: FileRecords,
        clock: Clock,
        ids: IdFactory,
        limits: BatchLimits,
        on_new: Callable[[], None],
    ) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._on_new = on_new

    async def create(
        self,
        by: Principal,
        *,
        input_file_id: str,
        endpoint: str,
        completion_window: str,
        metadata: Mapping[str, str],
    ) -> Batch:
        """A new batch over a file of this tenant; its lines are checked when it is run.

        Raises:
            InvalidRequest: names the field; Forbidden: the key may not call models, or the caller has none.
            StorageQuotaExceeded, StoreUnavailable.
        """
        if not by.may("llm.call"):
            raise Forbidden(f"the role {by.role!r} may not call models (needs llm.call)")
        if by.subject:
            raise Forbidden(
                "a batch runs with the rights its key has then; tokens and logins end before: use an API key"
            )
        if endpoint not in ENDPOINTS:
            raise InvalidRequest(
                f"endpoint {endpoint[:80]!r} cannot be batched; allowed: {', '.join(ENDPOINTS)}",
                param="endpoint",
            )
        window = window_s(completion_window)
        settings = read_settings(metadata)
        now_us = self._now_us()
        file = await self._files.get(by.tenant_id, input_file_id)
        if file is None or file.expires_at_us <= now_us:
            raise InvalidRequest(f"no such file: {input_file_id[:80]!r}", param="input_file_id")
        if file.purpose != BATCH:
            raise InvalidRequest(
                f"file {input_file_id} was uploaded for {file.purpose!r}, not for 'batch'",
                param="input_file_id",
            )
        batch = Batch(
            batch_id=self._ids.next("batch"),
            tenant_id=by.tenant_id,
            key_id=by.key_id,
            endpoint=endpoint,
            input_file_id=input_file_id,
            completion_window=completion_window,
            status=BatchStatus.VALIDATING,
            created_at_us=now_us,
            expires_at_us=now_us + window * 1_000_000,
            metadata=tuple(metadata.items()),
            settings=settings,
        )
        await self._store.add(
            batch,
            batches_max=self._limits.batches_per_tenant_max,
            unfinished_max=self._limits.unfinished_per_tenant_max,
        )
        self._on_new()
        return batch

    async def get(self, by: Principal, batch_id: str) -> Batch:
        """Raises NotFound for what is not there or another tenant's."""
        batch = await self._store.get(by.tenant_id, batch_id)
        if batch is None:
            raise NotFound(f"no such batch: {batch_id[:80]}", param="batch_id")
        return batch

    async def page(self, by: Principal, *, after: str | None, limit: int) -> tuple[list[Batch], bool]:
        """Batches of the tenant, newest first, and whether there are more behind them."""
        found = await self._store.page(by.tenant_id, after=after, limit=limit + 1)
        return found[:limit], len(found) > limit

    async def cancel(self, by: Principal, batch_id: str) -> Batch:
        """Asks for the end of a batch; one that is over stays as it is. Raises NotFound."""
        batch = await self._store.ask_to_cancel(by.tenant_id, batch_id, self._now_us())
        if batch is None:
            raise NotFound(f"no such batch: {batch_id[:80]}", param="batch_id")
        self._on_new()
        return batch

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)
