"""Makes the result files of a batch from its journal, again and again the same."""

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from application.batch_lines import lines_of, understood
from application.batch_run import BatchRun
from application.ports.batch_wire import BatchWire
from application.ports.file_store import FileContents
from application.use_cases.manage_batches import BatchLimits
from application.use_cases.manage_files import ManageFiles
from domain.batch.batch import StopReason
from domain.batch.line import UnreadableLine
from domain.batch.progress import TryEnded

WHY = {
    StopReason.CANCELLED: "the batch was cancelled before this line was asked",
    StopReason.EXPIRED: "the batch's completion window ended before this line was asked",
    StopReason.BUDGET: "the batch's budget did not reach to this line",
    StopReason.KEY_REVOKED: "the key that made the batch may no longer be used",
    StopReason.PROVIDER: "the provider did not run the batch",
}


class Outputs(NamedTuple):
    """Ids of the files; None: it would have been empty."""

    output_file_id: str | None
    error_file_id: str | None


class FinishBatch:
    """Ids of the files follow from the batch's, so doing it twice leaves the same two files."""

    def __init__(
        self, *, files: ManageFiles, contents: FileContents, wire: BatchWire, limits: BatchLimits
    ) -> None:
        self._files = files
        self._contents = contents
        self._wire = wire
        self._limits = limits

    async def __call__(self, run: BatchRun) -> Outputs:
        """Raises StoreUnavailable; then it may be called again."""
        batch, progress = run.batch, run.progress
        unasked = batch.counts.total > len(progress.finished)
        output = error = None
        if progress.completed:
            output = await self._write(run, "output", self._answers(run, lambda ended: ended.ok))
        if progress.failed or unasked:
            error = await self._write(run, "error", self._errors(run))
        return Outputs(output, error)

    async def _write(self, run: BatchRun, what: str, chunks: AsyncIterator[bytes]) -> str:
        batch = run.batch
        file_id = f"file-{batch.batch_id.removeprefix('batch_')}-{what}"
        await self._files.write_output(
            batch.tenant_id, batch.key_id, file_id, f"{batch.batch_id}_{what}.jsonl", chunks
        )
        return file_id

    async def _errors(self, run: BatchRun) -> AsyncIterator[bytes]:
        async for chunk in self._answers(run, lambda ended: not ended.ok):
            yield chunk
        if run.batch.counts.total > len(run.progress.finished):
            async for chunk in self._unasked(run):
                yield chunk

    async def _answers(self, run: BatchRun, wanted: Callable[[TryEnded], bool]) -> AsyncIterator[bytes]:
        """One line per finished line of the batch, in the order they ended."""
        written: set[int] = set()
        offset, last = 0, False
        while not last:
            records, offset, last = await run.journal.page(offset)
            lines = []
            for record in records:
                if not isinstance(record, TryEnded) or not record.final or record.line in written:
                    continue
                written.add(record.line)
                if wanted(record):
                    lines.append(self._row(run, record))
            if lines:
                yield b"".join(lines)

    def _row(self, run: BatchRun, ended: TryEnded) -> bytes:
        line_id = _line_id(run, ended.line)
        if ended.answer is None:
            return self._wire.refusal(line_id, ended.custom_id, ended.code, ended.message)
        return self._wire.answer(line_id, ended.custom_id, ended.status, ended.request_id, ended.answer)

    async def _unasked(self, run: BatchRun) -> AsyncIterator[bytes]:
        """One line for each line of the input that was never finished."""
        batch, reason = run.batch, run.stop or StopReason.CANCELLED
        bytes_max = self._limits.line_bytes_max
        chunks = self._contents.read(batch.tenant_id, batch.input_file_id)
        async for raw in lines_of(chunks, line_bytes_max=bytes_max):
            if raw.number in run.progress.finished:
                continue
            try:
                line = understood(self._wire, raw, bytes_max)
            except UnreadableLine:
                continue  # a file that changed since it was checked has nobody to answer to here
            yield self._wire.refusal(_line_id(run, raw.number), line.custom_id, reason.value, WHY[reason])


def _line_id(run: BatchRun, number: int) -> str:
    return f"batch_req_{run.batch.batch_id.removeprefix('batch_')}_{number}"
