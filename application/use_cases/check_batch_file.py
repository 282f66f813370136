"""Reads a whole batch file before anything is sent, and says on which lines something is wrong."""

from application.batch_lines import lines_of, understood
from application.ports.batch_wire import BatchWire
from application.ports.file_store import FileContents
from application.use_cases.manage_batches import BatchLimits
from domain.batch.batch import Batch
from domain.batch.line import LineCheck, UnreadableLine


class CheckBatchFile:
    """Holds one line of the file at a time."""

    def __init__(self, contents: FileContents, wire: BatchWire, limits: BatchLimits) -> None:
        self._contents = contents
        self._wire = wire
        self._limits = limits

    async def __call__(self, batch: Batch) -> LineCheck:
        """What the lines are like. Raises NotFound, StoreUnavailable."""
        check = LineCheck(batch.endpoint, self._limits.lines_max)
        bytes_max = self._limits.line_bytes_max
        chunks = self._contents.read(batch.tenant_id, batch.input_file_id)
        async for raw in lines_of(chunks, line_bytes_max=bytes_max):
            try:
                check.take(understood(self._wire, raw, bytes_max))
            except UnreadableLine as error:
                check.refuse(raw.number, error)
            if check.full:
                break
        check.end()
        return check
